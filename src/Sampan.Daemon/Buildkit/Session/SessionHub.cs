using System.Collections.Concurrent;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>The sessions that clients have open, by their names.</summary>
internal sealed class SessionHub
{
    /// <summary>A build and its session come over two connections, in either order.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, TaskCompletionSource<ClientSession>> _sessions = new();

    /// <summary>Serves a session until the client has gone.</summary>
    /// <exception cref="GrpcException">AlreadyExists: another one has this name.</exception>
    public async Task RunAsync(ClientSession session, CancellationToken cancel)
    {
        if (!Place(session.Id).TrySetResult(session))
        {
            throw new GrpcException(GrpcCode.AlreadyExists, $"a session '{session.Id}' is open already");
        }

        try
        {
            await session.RunAsync(cancel);
        }
        finally
        {
            _sessions.TryRemove(session.Id, out _);
        }
    }

    /// <summary>A session by its name; waits for one that is on its way.</summary>
    /// <exception cref="GrpcException">NotFound.</exception>
    public async Task<ClientSession> GetAsync(string id, CancellationToken cancel)
    {
        var place = Place(id);
        try
        {
            return await place.Task.WaitAsync(Patience, cancel);
        }
        catch (TimeoutException)
        {
            _sessions.TryRemove(new(id, place));
            throw new GrpcException(GrpcCode.NotFound, $"no session '{id}' was opened within {Patience.TotalSeconds} s");
        }
    }

    private TaskCompletionSource<ClientSession> Place(string id) =>
        _sessions.GetOrAdd(id, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
