using Sampan.Api;
using Sampan.Build.Files;
using Sampan.Build.Sources;
using Sampan.Oci;
using Sampan.Registry;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary>Images from and to archives: import, load, save.</summary>
public sealed partial class EngineService
{
    public Task<string> ImportImageAsync(Api.ImportOptions options, Stream archive, Func<JsonMessage, ValueTask> progress,
        CancellationToken cancel) =>
        TransferProgress.RunAsync(progress, async told =>
        {
            var name = string.IsNullOrEmpty(options.Tag) ? options.Repo : $"{options.Repo}:{options.Tag}";
            var reference = string.IsNullOrEmpty(name) ? null : ImageReference.Parse(name);
            var platform = string.IsNullOrEmpty(options.Platform) ? Platform.Current : Platform.Parse(options.Platform);
            var config = Build.Stages.ConfigChanges.Apply(new ImageRuntimeConfig(), options.Changes, platform);
            using var directory = options.Source == "-" ? null : TempDirectory.Create(_store.DataRoot, "import");
            await using var download = directory is null ? null : await DownloadAsync(options.Source, directory, told, cancel);
            var image = await _store.Images.ImportAsync(download ?? archive, new Store.ImportOptions
            {
                Reference = reference,
                Message = options.Message ?? "",
                Source = options.Source,
                Platform = platform,
                Config = config,
            }, cancel);
            var id = image.Id.ToString();
            _events.Publish("image", "import", id, new Dictionary<string, string> { ["name"] = reference?.ToString() ?? id });
            told.Report(new JsonMessage { Status = id });
            return id;
        });

    public Task LoadImagesAsync(Stream archive, bool quiet, string? platform, Func<JsonMessage, ValueTask> progress,
        CancellationToken cancel) =>
        TransferProgress.RunAsync(progress, async told =>
        {
            var loaded = await _store.Images.LoadAsync(archive, new LoadOptions
            {
                Platform = string.IsNullOrEmpty(platform) ? null : Platform.Parse(platform),
                Progress = quiet ? null : new LoadReport(told),
            }, cancel);
            foreach (var (tag, previous) in loaded.Replaced)
            {
                told.Report(new JsonMessage
                {
                    Stream = $"The image {tag} already exists, renaming the old one with ID {previous} to empty string\n",
                });
            }

            foreach (var loadedName in loaded.Tags.Select(t => $": {t}").Concat(loaded.Untagged.Select(id => $" ID: {id}")))
            {
                told.Report(new JsonMessage { Stream = $"Loaded image{loadedName}\n" });
            }

            return true;
        });

    public Task<Func<Stream, CancellationToken, Task>> SaveImagesAsync(IReadOnlyList<string> names, string? platform,
        CancellationToken cancel)
    {
        // Named here, before the answer begins: an unknown image must still be able to give a status.
        foreach (var name in names)
        {
            foreach (var (_, image) in _store.Images.ResolveAll(name))
            {
                RequirePlatform(name, image, platform);
            }
        }

        return Task.FromResult<Func<Stream, CancellationToken, Task>>((output, stop) => _store.Images.SaveAsync(names, output, stop));
    }

    public Task<Func<Stream, CancellationToken, Task>> SaveImageAsAsync(string image, IReadOnlyList<string> names, CancellationToken cancel)
    {
        var found = _store.Images.Resolve(image);
        IReadOnlyList<(ImageReference? Name, ImageRecord Image)> images = names.Count == 0 ? [(null, found)]
            : [.. names.Select(name => ((ImageReference?)ImageReference.Parse(name), found))];
        return Task.FromResult<Func<Stream, CancellationToken, Task>>((output, stop) => _store.Images.SaveAsync(images, output, stop));
    }

    /// <summary>An image is of one platform here; another that is asked for is not there.</summary>
    private static void RequirePlatform(string name, ImageRecord image, string? platform)
    {
        if (!string.IsNullOrEmpty(platform) && !image.Config.Platform.Satisfies(Platform.Parse(platform)))
        {
            throw EngineException.NotFound(
                $"image with reference {name} was found but does not provide the specified platform ({platform})");
        }
    }

    /// <summary>Fetches the archive of an import; http is meant when a URL says no scheme.</summary>
    private static async Task<Stream> DownloadAsync(string source, TempDirectory directory, TransferProgress told, CancellationToken cancel)
    {
        var url = source.Contains("://") ? source : $"http://{source}";
        told.Report(new JsonMessage { Status = $"Downloading from {RemoteUrl.Redact(url)}" });
        var path = Path.Combine(directory.Path, "archive");
        await HttpSource.FetchAsync(url, null, path, SourceLimits.Default,
            (done, total) => told.Report(new TransferMessage(null, "Importing", done, total, IsItem: true)), cancel);
        return File.OpenRead(path);
    }

    /// <summary>Tells how far a load is, ten times a second.</summary>
    private sealed class LoadReport(TransferProgress told) : IProgress<LayerProgress>
    {
        private const int EveryMilliseconds = 100;

        private long _reportedAt;

        public void Report(LayerProgress value)
        {
            if (Environment.TickCount64 - _reportedAt >= EveryMilliseconds || value.Bytes == value.TotalBytes)
            {
                _reportedAt = Environment.TickCount64;
                told.Report(new TransferMessage(value.Layer, "Loading layer", value.Bytes, value.TotalBytes, IsItem: true));
            }
        }
    }
}
