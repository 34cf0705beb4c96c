using System.Diagnostics;
using Sampan.Linux;
using Sampan.Network;
using Sampan.Network.Names;

namespace Sampan.Engine.Networks;

/// <summary>
/// The daemon's side of names: it tells the resolver, which outlives it, who is called what. The resolver is started for the first container
/// that needs it, and again when it has ended while there are any. Thread-safe.
/// </summary>
internal sealed class NameService(string execRoot) : IAsyncDisposable
{
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (NamedContainer Container, Func<Sandbox> Sandbox)> _wanted = [];
    private readonly HashSet<string> _held = [];
    private readonly CancellationTokenSource _stop = new();
    private ResolverClient? _resolver;
    private Task _watch = Task.CompletedTask;

    private string SocketPath => Path.Combine(execRoot, "resolver.sock");

    /// <summary>After a start of the daemon: the resolver that is there is told who runs now, or one is started if anybody needs it.</summary>
    public void Adopt(IEnumerable<(NamedContainer Container, Func<Sandbox> Sandbox)> running)
    {
        lock (_lock)
        {
            foreach (var one in running)
            {
                _wanted[one.Container.Id] = one;
            }

            if (ResolverClient.Connect(SocketPath) is { } found)
            {
                Use(found);
                Tell(resolver => resolver.Holds.Where(id => !_wanted.ContainsKey(id)).ToList().ForEach(resolver.Remove));
                Tell(PutAll);
            }
            else if (_wanted.Count > 0)
            {
                Launch();
            }
        }
    }

    /// <summary>A container that has begun to run, or whose networks have changed: its neighbours know it, and it them, from now on.</summary>
    /// <param name="sandbox">Gives its sandbox, while it runs.</param>
    /// <exception cref="SyscallException">A program in the container has the name server's port.</exception>
    public void Put(NamedContainer container, Func<Sandbox> sandbox)
    {
        lock (_lock)
        {
            if (_resolver is null)
            {
                Launch();
            }

            Tell(resolver => PutOne(resolver, container, sandbox));
            _wanted[container.Id] = (container, sandbox);
        }
    }

    /// <summary>A container that is known has other names.</summary>
    public void Rename(NamedContainer container)
    {
        lock (_lock)
        {
            if (_wanted.TryGetValue(container.Id, out var known))
            {
                Put(container, known.Sandbox);
            }
        }
    }

    /// <summary>A container that has ended, or has left its last network with names.</summary>
    public void Remove(string id)
    {
        lock (_lock)
        {
            if (_wanted.Remove(id) && _held.Remove(id))
            {
                Tell(resolver => resolver.Remove(id));
            }
        }
    }

    /// <summary>Lets go of the resolver, which ends when it has no containers.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watch;
        _resolver?.Dispose();
        _stop.Dispose();
    }

    /// <summary>Tells the resolver something, if there is one; when it turns out to have ended, a new one is told everything.</summary>
    private void Tell(Action<ResolverClient> what)
    {
        if (_resolver is null)
        {
            return;
        }

        try
        {
            what(_resolver);
        }
        catch (SyscallException e) when (e.Call == ResolverClient.SendCall)
        {
            Launch();
            what(_resolver);
        }
    }

    private void Launch()
    {
        Use(ResolverClient.Launch(SocketPath, "/proc/self/exe", Path.Combine(execRoot, "resolver.log")));
        PutAll(_resolver!);
    }

    private void Use(ResolverClient resolver)
    {
        _resolver?.Dispose();
        _resolver = resolver;
        _held.Clear();
        _held.UnionWith(resolver.Holds);
        _watch = WatchAsync(resolver, _watch);
    }

    private void PutAll(ResolverClient resolver)
    {
        foreach (var (container, sandbox) in _wanted.Values)
        {
            try
            {
                PutOne(resolver, container, sandbox);
            }
            catch (Exception e) when (e is SyscallException { Call: not ResolverClient.SendCall } or EngineException)
            {
                // The others are to have their names.
                Console.Error.WriteLine($"container {container.Id} has no names: {e.Message}");
            }
        }
    }

    private void PutOne(ResolverClient resolver, NamedContainer container, Func<Sandbox> sandbox)
    {
        resolver.Put(container, _held.Contains(container.Id) ? null : sandbox());
        _held.Add(container.Id);
    }

    private async Task WatchAsync(ResolverClient resolver, Task earlier)
    {
        var born = Stopwatch.StartNew();
        try
        {
            await resolver.EndedAsync(_stop.Token);
            if (born.Elapsed < ShortLife)
            {
                await Task.Delay(ShortLife, _stop.Token); // one that cannot live is not to keep the machine busy
            }

            lock (_lock)
            {
                if (_resolver == resolver)
                {
                    Console.Error.WriteLine($"the resolver has ended{(_wanted.Count > 0 ? "; it is started again" : "")}");
                    resolver.Dispose();
                    _resolver = null;
                    if (_wanted.Count > 0)
                    {
                        Launch();
                    }
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (SyscallException e)
        {
            // The next container tries again.
            await Console.Error.WriteLineAsync($"the resolver does not start: {e.Message}");
        }

        await earlier;
    }
}
