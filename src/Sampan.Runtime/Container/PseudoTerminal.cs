using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>In a child: a terminal from the container's own devpts, as standard input, output and error.</summary>
internal static class PseudoTerminal
{
    private const uint TIOCGPTPEER = 0x5441;

    public static int Open(CString ptmx, uint uid, int rows, int columns, out int master)
    {
        master = Raw.Openat2(Raw.AT_FDCWD, ptmx, Raw.O_RDWR | Raw.O_NOCTTY | Raw.O_CLOEXEC, 0, 0);
        var result = master < 0 ? master : Raw.UnlockPty(master, out _);
        var slave = result < 0 ? result : Raw.Ioctl(master, TIOCGPTPEER, Raw.O_RDWR | Raw.O_NOCTTY | Raw.O_CLOEXEC);
        if (slave < 0)
        {
            return slave;
        }

        if (rows > 0 && columns > 0)
        {
            Raw.SetWindowSize(slave, rows, columns);
        }

        if ((result = Raw.Fchown(slave, uid, uint.MaxValue)) < 0 || (result = Raw.Dup(slave, 0)) < 0 || (result = Raw.Dup(slave, 1)) < 0
            || (result = Raw.Dup(slave, 2)) < 0 || (result = Raw.Ioctl(0, Raw.TIOCSCTTY, 0)) < 0)
        {
            return result;
        }

        return Raw.Close(slave);
    }
}
