using System.Net.Sockets;

namespace Sampan.Daemon.Listening;

/// <summary>Tells systemd that the daemon is ready (sd_notify(3), <c>Type=notify</c>); nothing without systemd.</summary>
internal static class SystemdNotify
{
    public static void Ready()
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path)
        {
            return;
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        // A leading @ stands for the NUL of an abstract address.
        socket.SendTo("READY=1"u8, new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
    }
}
