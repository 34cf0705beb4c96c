using System.Net;
using System.Net.Sockets;
using Sampan.Linux;

namespace Sampan.Cli.Http;

/// <summary>A connected socket with blocking calls; every failure is a <see cref="SocketException"/>, whatever the family.</summary>
internal abstract class DaemonSocket : IDisposable
{
    /// <summary>Whether reading will not wait.</summary>
    public abstract bool HasInput { get; }

    /// <summary>Opens a connection; reads and writes have no time-out, since attach and logs may be silent for days.</summary>
    public static DaemonSocket Open(DaemonAddress address)
        => address.SocketPath is { } path ? new Unix(path) : new Tcp(address.Host, address.Port);

    public abstract int Send(ReadOnlySpan<byte> bytes);

    /// <summary>Receives what is there; 0 at the end.</summary>
    public abstract int Receive(Span<byte> bytes);

    public abstract void ShutdownSend();

    /// <summary>Closes; a reader on another thread comes back.</summary>
    public abstract void Dispose();

    private sealed class Unix(string path) : DaemonSocket
    {
        private readonly UnixConnection _connection = Translate(() => UnixConnection.Open(path));

        public override bool HasInput => Translate(() => _connection.HasInput);

        public override int Send(ReadOnlySpan<byte> bytes)
        {
            try
            {
                return _connection.Send(bytes);
            }
            catch (SyscallException e)
            {
                throw Translated(e);
            }
        }

        public override int Receive(Span<byte> bytes)
        {
            try
            {
                return _connection.Receive(bytes);
            }
            catch (SyscallException e)
            {
                throw Translated(e);
            }
        }

        public override void ShutdownSend() => Translate(() =>
        {
            _connection.ShutdownSend();
            return true;
        });

        public override void Dispose() => _connection.Dispose();

        private static T Translate<T>(Func<T> call)
        {
            try
            {
                return call();
            }
            catch (SyscallException e)
            {
                throw Translated(e);
            }
        }

        private static SocketException Translated(SyscallException e) => new((int)(e.Errno switch
        {
            Errno.ENOENT => SocketError.AddressNotAvailable,
            Errno.ECONNREFUSED => SocketError.ConnectionRefused,
            Errno.EACCES or Errno.EPERM => SocketError.AccessDenied,
            Errno.ECONNRESET => SocketError.ConnectionReset,
            Errno.ENOTCONN => SocketError.NotConnected,
            Errno.EPIPE => SocketError.Shutdown,
            _ => SocketError.SocketError,
        }), e.Message);
    }

    private sealed class Tcp : DaemonSocket
    {
        private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        public Tcp(string host, int port)
        {
            try
            {
                if (IPAddress.TryParse(host, out var address)) _socket.Connect(address, port);
                else _socket.Connect(host, port);
            }
            catch
            {
                _socket.Dispose();
                throw;
            }
        }

        public override bool HasInput => _socket.Poll(0, SelectMode.SelectRead);

        public override int Send(ReadOnlySpan<byte> bytes) => _socket.Send(bytes);

        public override int Receive(Span<byte> bytes) => _socket.Receive(bytes);

        public override void ShutdownSend() => _socket.Shutdown(SocketShutdown.Send);

        public override void Dispose() => _socket.Dispose();
    }
}
