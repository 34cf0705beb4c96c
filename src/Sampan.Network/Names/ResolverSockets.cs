using System.Net;
using Sampan.Linux;

namespace Sampan.Network.Names;

/// <summary>A container's name server: port 53 of 127.0.0.11 in its network namespace, which containers have in their resolv.conf.</summary>
internal static class ResolverSockets
{
    private const int Port = 53, Backlog = 64, Attempts = 50, PauseMs = 10;

    /// <summary>Docker's address for it.</summary>
    public static IPAddress Address { get; } = new([127, 0, 0, 11]);

    /// <summary>
    /// Opens both sockets in a sandbox. From here on questions wait in them, whoever has them. A resolver that was killed may need a moment
    /// to let go of those it had.
    /// </summary>
    /// <exception cref="SyscallException">The namespace is gone, or a program in it has the port.</exception>
    public static (int Udp, int Tcp) Open(string sandboxPath) => NetworkNamespace.Run(sandboxPath, () =>
    {
        for (var attempt = 1; ; attempt++)
        {
            var udp = -1;
            try
            {
                udp = InetSocket.BindDatagram(new IPEndPoint(Address, Port));
                return (udp, InetSocket.Listen(new IPEndPoint(Address, Port), Backlog));
            }
            catch (SyscallException e)
            {
                if (udp >= 0)
                {
                    Raw.Close(udp);
                }

                if (e.Errno != Errno.EADDRINUSE || attempt == Attempts)
                {
                    throw;
                }

                Thread.Sleep(PauseMs);
            }
        }
    });
}
