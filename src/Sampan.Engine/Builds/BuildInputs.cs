using Sampan.Build.Sources;

namespace Sampan.Engine.Builds;

/// <summary>What a build reads: its context, wherever that comes from, and what was attached. All of it is given back when disposed.</summary>
internal sealed class BuildInputs : IDisposable
{
    private readonly List<IDisposable> _held = [];
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _secrets = [];
    private readonly Dictionary<string, string> _agents = [];
    private readonly Dictionary<string, NamedContext> _contexts = [];

    /// <summary>The context's directory.</summary>
    public string Context { get; set; } = "";

    /// <summary>It is the user's own.</summary>
    public bool IsLive { get; set; }

    /// <summary>The Dockerfile itself when it is not in the context.</summary>
    public ReadOnlyMemory<byte>? Dockerfile { get; set; }

    /// <summary>The Dockerfile's path when the context says it, and not the client.</summary>
    public string? DockerfilePath { get; set; }

    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Secrets => _secrets;

    public IReadOnlyDictionary<string, string> Agents => _agents;

    public IReadOnlyDictionary<string, NamedContext> Contexts => _contexts;

    /// <summary>Keeps something until the build is over.</summary>
    public T Hold<T>(T input)
        where T : IDisposable
    {
        _held.Add(input);
        return input;
    }

    /// <summary>Takes what was attached before.</summary>
    /// <exception cref="EngineException">NotFound: an ID is unknown.</exception>
    public void Take(IEnumerable<string> ids, WaitingAttachments waiting)
    {
        foreach (var id in ids)
        {
            var attachment = Hold(waiting.Take(id));
            if (attachment.Secret is { } secret)
            {
                _secrets[attachment.Name] = secret;
            }
            else if (attachment.Agent is { } agent)
            {
                _agents[attachment.Name] = agent.Path;
            }
            else
            {
                _contexts[attachment.Name] = new()
                {
                    Directory = attachment.Local?.Path ?? attachment.Sent?.Path,
                    IsLive = attachment.Local is not null,
                    Image = attachment.Image,
                };
            }
        }
    }

    /// <summary>Fetches the contexts that are only named.</summary>
    public async Task FetchAsync(IReadOnlyDictionary<string, string> contexts, Store.Store store, CancellationToken cancel)
    {
        const string Image = "docker-image://";
        foreach (var (name, source) in contexts)
        {
            _contexts[name] = source.StartsWith(Image, StringComparison.Ordinal) ? new() { Image = source[Image.Length..] }
                : new() { Directory = Hold(await RemoteContext.FetchAsync(store, source, _agents.GetValueOrDefault("default"), null, cancel)).Directory };
        }
    }

    public void Dispose() => _held.ForEach(input => input.Dispose());
}
