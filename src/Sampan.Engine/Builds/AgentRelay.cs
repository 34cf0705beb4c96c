using System.Net.Sockets;
using Sampan.Linux;

namespace Sampan.Engine.Builds;

/// <summary>
/// A socket in a step's run directory that leads to the client's agent. The agent sees the daemon and not the step, whose user it would
/// refuse; and the step sees no more of the client than what the agent answers.
/// </summary>
internal sealed class AgentRelay : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    private AgentRelay(Socket listener, Func<Socket, CancellationToken, Task> forward)
    {
        _listener = listener;
        _accepting = AcceptAsync(forward);
    }

    /// <summary>Listens.</summary>
    /// <param name="path">Where the step's socket is made.</param>
    /// <param name="agent">The agent's socket.</param>
    public static AgentRelay Start(string path, string agent, uint uid, uint gid, uint mode) =>
        Start(path, (step, stop) => ForwardAsync(step, agent, stop), uid, gid, mode);

    /// <summary>Listens.</summary>
    /// <param name="forward">Carries bytes between a connection and the agent until one of them ends.</param>
    public static AgentRelay Start(string path, Func<Socket, CancellationToken, Task> forward, uint uid, uint gid, uint mode)
    {
        var listener = new Socket(new SafeSocketHandle(UnixSocket.Listen(path), ownsHandle: true));
        Files.SetOwner(path, uid, gid, mode);
        return new(listener, forward);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<Socket, CancellationToken, Task> forward)
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                var step = await _listener.AcceptAsync(_stop.Token);
                open.RemoveAll(done => done.IsCompleted);
                open.Add(RelayAsync(step, forward));
            }
        }
        catch (Exception e) when (_stop.IsCancellationRequested && e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    /// <summary>Carries bytes both ways until one side has ended; what goes wrong on either shows as the end of the connection.</summary>
    private async Task RelayAsync(Socket step, Func<Socket, CancellationToken, Task> forward)
    {
        using (step)
        {
            try
            {
                await forward(step, _stop.Token);
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
            {
                return;
            }
        }
    }

    private static async Task ForwardAsync(Socket step, string agent, CancellationToken stop)
    {
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await other.ConnectAsync(new UnixDomainSocketEndPoint(agent), stop);
        await Task.WhenAll(CarryAsync(step, other, stop), CarryAsync(other, step, stop));
    }

    private static async Task CarryAsync(Socket from, Socket to, CancellationToken stop)
    {
        var buffer = new byte[16 * 1024];
        for (int count; (count = await from.ReceiveAsync(buffer, stop)) > 0;)
        {
            for (var sent = 0; sent < count;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), stop);
            }
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
