using System.Runtime.InteropServices;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Linux;

namespace Sampan.Cli.Streams;

/// <summary>Passes on what happens to us while we stand for a container: signals, and the size of the window.</summary>
internal sealed class SignalRelay : IDisposable
{
    private static readonly (int Number, string Name)[] Proxied =
        [(1, "HUP"), (2, "INT"), (3, "QUIT"), (10, "USR1"), (12, "USR2"), (14, "ALRM"), (15, "TERM"), (18, "CONT"), (20, "TSTP")];

    private const PosixSignal WindowChanged = (PosixSignal)28; // SIGWINCH
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Func<ApiTransport> _connect;
    private readonly Lock _lock = new();

    /// <param name="connect">Makes a connection of its own: the session's is busy.</param>
    private SignalRelay(Func<ApiTransport> connect) => _connect = connect;

    /// <summary>Sends our signals to the container.</summary>
    public static SignalRelay Signals(Func<ApiTransport> connect, string container)
    {
        var relay = new SignalRelay(connect);
        foreach (var (number, name) in Proxied)
        {
            relay.On((PosixSignal)number, () => relay.Post($"/containers/{container}/kill?signal={name}"));
        }

        return relay;
    }

    /// <summary>Gives a terminal of the daemon (<c>/containers/ID</c> or <c>/exec/ID</c>) our window's size, now and whenever it changes.</summary>
    public static SignalRelay WindowSize(Func<ApiTransport> connect, string path)
    {
        var relay = new SignalRelay(connect);
        void Resize()
        {
            var (height, width) = Terminal.Size(FdStream.StdoutFd);
            if (height > 0 && width > 0) relay.Post($"{path}/resize?h={height}&w={width}");
        }

        relay.On(WindowChanged, Resize);
        Resize();
        return relay;
    }

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
    }

    private void On(PosixSignal signal, Action action)
    {
        _registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = signal != WindowChanged;
            action();
        }));
    }

    private void Post(string path)
    {
        // Signals come on threads of their own; one at a time keeps their order.
        lock (_lock)
        {
            try
            {
                using var api = _connect();
                api.Post(path);
            }
            catch (Exception e) when (e is CliException or IOException or System.Net.Sockets.SocketException)
            {
                // The container may have ended in between, and there is nobody to tell.
            }
        }
    }
}
