using System.Net.Sockets;
using Sampan.Api;
using Sampan.Build.Files;
using Sampan.Linux;

namespace Sampan.Engine.Builds;

/// <summary>
/// The agents of a client that is asked while its build runs: each gets a socket of the build's own when something wants it, and what
/// connects there is carried to the client.
/// </summary>
internal sealed class ClientAgents(IBuildClient client, string root) : IAsyncDisposable
{
    private const uint OwnerOnly = 0x180; // 0600

    private readonly SemaphoreSlim _one = new(1);
    private readonly Dictionary<string, string?> _sockets = [];
    private readonly List<AgentRelay> _relays = [];
    private readonly List<int> _open = [];
    private TempDirectory? _directory;

    /// <summary>The agent's socket; null when the client has no agent of this id.</summary>
    public async Task<string?> FindAsync(string id, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            return _sockets.TryGetValue(id, out var socket) ? socket
                : _sockets[id] = await client.HasAgentAsync(id, cancel) ? Listen(id) : null;
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var relay in _relays)
        {
            await relay.DisposeAsync();
        }

        _open.ForEach(Sys.Close);
        _directory?.Dispose();
        _one.Dispose();
    }

    private string Listen(string id)
    {
        _directory ??= TempDirectory.Create(root, "agent");
        var path = Path.Combine(_directory.Path, $"{_relays.Count}");
        _relays.Add(AgentRelay.Start(path, ForwardAsync, 0, 0, OwnerOnly));

        // By a descriptor, as a socket's path may have 107 letters only.
        var fd = Sys.OpenAt(Sys.AT_FDCWD, Bytes.FromText(path), Sys.O_PATH, 0);
        _open.Add(fd);
        return $"/proc/{Environment.ProcessId}/fd/{fd}";

        async Task ForwardAsync(Socket program, CancellationToken stop)
        {
            await using var stream = new NetworkStream(program);
            await client.ForwardAgentAsync(id, stream, stop);
        }
    }
}
