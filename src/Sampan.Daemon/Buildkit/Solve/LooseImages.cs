using Sampan.Api;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>
/// Images that builds have made, by the connection of the client. Those that got no name are removed when it has gone: they were only on their
/// way to somewhere else, or another build's input.
/// </summary>
internal sealed class LooseImages(IEngine engine, DaemonLog log)
{
    private readonly Dictionary<string, HashSet<string>> _images = [];

    public void Add(string connection, string image)
    {
        lock (_images)
        {
            _images.TryAdd(connection, []);
            _images[connection].Add(image);
        }
    }

    /// <summary>The client wants the image to stay, also without a name.</summary>
    public void Keep(string image)
    {
        lock (_images)
        {
            foreach (var images in _images.Values)
            {
                images.Remove(image);
            }
        }
    }

    /// <summary>The client has gone.</summary>
    public async Task RemoveAsync(string connection)
    {
        HashSet<string>? images;
        lock (_images)
        {
            _images.Remove(connection, out images);
        }

        foreach (var image in images ?? [])
        {
            try
            {
                if ((await engine.InspectImageAsync(image, null, CancellationToken.None)).RepoTags is not { Count: > 0 })
                {
                    await engine.RemoveImageAsync(image, force: false, noPrune: true, CancellationToken.None);
                }
            }
            catch (Exception e) when (Engine.EngineException.KindOf(e) is Engine.ErrorKind.NotFound or Engine.ErrorKind.Conflict)
            {
                log.Debug($"the image of a build stays: {e.Message}");
            }
        }
    }
}
