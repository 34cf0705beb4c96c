using System.Text.Json;
using Sampan.Api;
using Sampan.Build;
using Sampan.Engine.Builds;
using Sampan.Oci;
using Sampan.Registry;
using Sampan.Store;

namespace Sampan.Engine;

public sealed partial class EngineService
{
    /// <summary>The caches that one build takes from elsewhere and gives to others.</summary>
    private sealed class BuildCaches
    {
        private readonly EngineService _engine;
        private readonly BuildOptions _options;
        private readonly Func<JsonMessage, ValueTask> _progress;
        private readonly List<CacheSpec> _from;
        private readonly List<CacheSpec> _to;
        private readonly List<(string Name, Digest Id)> _pulled = [];

        /// <exception cref="EngineException">A value is malformed.</exception>
        public BuildCaches(EngineService engine, BuildOptions options, Func<JsonMessage, ValueTask> progress)
        {
            (_engine, _options, _progress) = (engine, options, progress);
            _from = [.. options.CacheFrom.Select(text => CacheSpec.Parse(text, "registry"))];
            _to = [.. options.CacheTo.Select(text => CacheSpec.Parse(text, "inline", "registry", "local"))];
        }

        /// <summary>The request with the images that are to serve as cache. One that is not to be had is no error: the build goes on without it.</summary>
        public async Task<BuildRequest> ApplyAsync(BuildRequest request, CancellationToken cancel)
        {
            var images = new List<ImageRecord>();
            foreach (var spec in _from)
            {
                try
                {
                    images.Add(spec.Type == CacheSpec.Image ? _engine._store.Images.Resolve(spec.Reference)
                        : await PullAsync(spec.Reference, request.Platform ?? Platform.Current, cancel));
                }
                catch (Exception e) when (e is StoreException or BuildException or FormatException)
                {
                    await _progress(new JsonMessage { Stream = $"no cache from {spec.Reference}: {e.Message}\n" });
                }
            }

            var external = _to.Where(spec => spec.Type != "inline").ToList();
            return request with
            {
                CacheFrom = images,
                InlineCache = _to.Exists(spec => spec.Type == "inline"),
                CacheExport = external.Count == 0 ? CacheExport.None : external.Exists(spec => spec.IsMax) ? CacheExport.AllStages : CacheExport.Result,
            };
        }

        /// <summary>Pulls an image for its cache, and notes the names that it did not have before.</summary>
        private async Task<ImageRecord> PullAsync(string reference, Platform platform, CancellationToken cancel)
        {
            var before = _engine._store.Images.List().SelectMany(NamesOf).ToHashSet();
            var image = await _engine.BasePuller(_options, _progress)(reference, platform, cancel);
            _pulled.AddRange(NamesOf(image).Where(name => !before.Contains(name)).Select(name => (name, image.Id)));
            return image;
        }

        /// <summary>Removes what was pulled for its cache alone; the steps that were found in it are in our own cache by now.</summary>
        /// <param name="built">What the build gave, which stays also when it or its cache is the very image that was pulled; null when it failed.</param>
        public async Task ForgetAsync(BuildResult? built)
        {
            var tags = _options.Tags.Select(tag => ImageReference.Parse(tag).FamiliarString).ToHashSet();
            foreach (var (name, id) in _pulled.Where(pulled => !tags.Contains(pulled.Name)))
            {
                if (_engine._store.Images.Get(id) is not { } image || !NamesOf(image).Contains(name))
                {
                    continue;
                }

                if (id == built?.ImageId || id == built?.CacheImage?.Id)
                {
                    _engine._store.Images.Untag(ImageReference.Parse(name));
                    continue;
                }

                try
                {
                    await _engine.RemoveImageAsync(name, force: false, noPrune: false, CancellationToken.None);
                }
                catch (StoreException e) when (e.Kind is StoreErrorKind.Conflict or StoreErrorKind.NotFound)
                {
                    // A container has it by now, or somebody else removed it.
                }
            }
        }

        private static IEnumerable<string> NamesOf(ImageRecord image) => image.RepoTags.Concat(image.RepoDigests);

        /// <summary>Pushes the cache; for <c>type=local</c> tells the client which image holds it, and leaves that to the client.</summary>
        public async Task ExportAsync(BuildResult result, CancellationToken cancel)
        {
            if (result.CacheImage is not { } image)
            {
                return;
            }

            // A push gives it a name, of its digest; one that had none before is for the cache alone.
            var isForCache = _engine._store.Images.Get(image.Id) is { IsDangling: true };
            foreach (var spec in _to.Where(spec => spec.Type == "registry"))
            {
                var reference = ImageReference.Parse(spec.Reference);
                await _progress(new JsonMessage { Stream = $"exporting cache to {reference.FamiliarString}\n" });
                try
                {
                    await TransferProgress.RunAsync(_progress, async told =>
                        await _engine.PushOneAsync(reference, image, await CredentialsForAsync(reference, _options, cancel), told, cancel));
                }
                catch (RegistryException e)
                {
                    throw new EngineException(EngineException.KindOf(e), $"exporting cache to {reference.FamiliarString}: {e.Message}", e);
                }
            }

            if (_to.Exists(spec => spec.Type == "local"))
            {
                await _progress(new JsonMessage { Aux = JsonSerializer.SerializeToElement(new BuildCacheImage { CacheID = image.Id.ToString() }, ApiJson.Wire.BuildCacheImage) });
            }
            else if (isForCache && _engine._store.Images.Get(image.Id) is { RepoTags.Count: 0 })
            {
                _engine._store.Images.Remove(image.Id.ToString(), new RemoveOptions { Force = true });
            }
        }
    }
}
