namespace Sampan.Runtime;

/// <summary>A program that was started in a running container. Disposing drops its streams; it runs on.</summary>
public sealed class MonitorExec : IAsyncDisposable
{
    private readonly TaskCompletionSource<int> _exitCode = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MonitorSocket _socket;

    internal MonitorExec(string id, int pid, MonitorSocket socket, bool detached)
    {
        (Id, Pid, _socket) = (id, pid, socket);
        Stream = new MonitorStream(socket, code => _exitCode.TrySetResult(code));
        if (detached)
        {
            _ = WaitDetachedAsync();
        }
    }

    public string Id { get; }

    /// <summary>As the host sees it.</summary>
    public int Pid { get; }

    /// <summary>Its streams. Someone must read to the end, else the exit code does not come; with Detach this class does so itself.</summary>
    public MonitorStream Stream { get; }

    /// <summary>
    /// Known before <see cref="Stream"/> reports its end. Faults with <see cref="MonitorException"/> when the monitor goes, and is cancelled
    /// by disposing; <see cref="MonitorClient.GetStateAsync"/> still tells it then.
    /// </summary>
    public Task<int> ExitCode => _exitCode.Task;

    public ValueTask DisposeAsync()
    {
        _exitCode.TrySetCanceled();
        return Stream.DisposeAsync();
    }

    private async Task WaitDetachedAsync()
    {
        try
        {
            while (await Stream.ReadFrameAsync(CancellationToken.None) is not null)
            {
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or System.Net.Sockets.SocketException)
        {
            _exitCode.TrySetException(new MonitorException(MonitorErrorKind.Unreachable, $"exec {Id}: the monitor went before the exit code came", e));
        }
        finally
        {
            _socket.Dispose();
        }
    }
}
