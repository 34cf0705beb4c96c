using Sampan.Api;
using Sampan.Oci;
using Sampan.Registry;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary><c>pull</c>, and the base images of builds.</summary>
public sealed partial class EngineService
{
    public Task PullImageAsync(PullOptions options, Func<JsonMessage, ValueTask> progress, CancellationToken cancel) =>
        TransferProgress.RunAsync(progress, async told =>
        {
            var reference = PullReference(options);
            var platform = string.IsNullOrEmpty(options.Platform) ? null : Platform.Parse(options.Platform);
            var credentials = CredentialsOf(options.Auth);
            var isNew = false;
            try
            {
                var tags = reference.Tag is null && reference.Digest is null
                    ? (await _registries.TagsAsync(reference, credentials, cancel)).Select(reference.WithTag).ToList()
                    : [reference];
                foreach (var tag in tags)
                {
                    isNew |= (await PullOneAsync(tag, platform, credentials, told, cancel)).IsNew;
                }
            }
            catch (RegistryException e)
            {
                throw PullError(reference, e);
            }

            told.Report(new JsonMessage { Status = $"Status: {(isNew ? "Downloaded newer image" : "Image is up to date")} for {reference.FamiliarString}" });
            return true;
        });

    /// <summary>For a build: finds a base image at its registry. Its errors are the build's, which knows the place in the Dockerfile.</summary>
    private Func<string, Platform, CancellationToken, Task<ImageRecord>> BasePuller(BuildOptions options, Func<JsonMessage, ValueTask> progress) =>
        async (name, platform, cancel) =>
        {
            var reference = ImageReference.Parse(name);
            var wanted = string.IsNullOrEmpty(options.Platform) ? null : platform;
            try
            {
                return await TransferProgress.RunAsync(progress, async told =>
                {
                    var (isNew, image) = await PullOneAsync(reference, wanted, await CredentialsForAsync(reference, options, cancel), told, cancel);
                    told.Report(new JsonMessage { Status = $"Status: {(isNew ? "Downloaded newer image" : "Image is up to date")} for {reference.FamiliarString}" });
                    return image;
                });
            }
            catch (RegistryException e)
            {
                var error = PullError(reference, e);
                throw new Build.BuildException(Build.BuildErrorKind.NotFound, error.Message, error);
            }
        };

    private async Task<(bool IsNew, ImageRecord Image)> PullOneAsync(
        ImageReference reference, Platform? platform, Credentials credentials, TransferProgress told, CancellationToken cancel)
    {
        var pulled = await _registries.PullAsync(reference, platform, credentials, told.Report, cancel);
        _events.Publish("image", "pull", reference.FamiliarString, new Dictionary<string, string> { ["name"] = reference.FamiliarName });
        return pulled;
    }

    /// <summary>The parts of a pull as clients send them: a name that may end in a tag, and a tag that may be a digest.</summary>
    private static ImageReference PullReference(PullOptions options)
    {
        var reference = ImageReference.ParseName(options.Image.TrimEnd(':'));
        return string.IsNullOrEmpty(options.Tag) ? reference
            : options.Tag.Contains(':') ? reference.WithDigest(Digest.Parse(options.Tag))
            : reference.WithTag(options.Tag);
    }

    /// <summary>Docker's words: whether a repository is missing or may not be read, no registry tells.</summary>
    private static EngineException PullError(ImageReference reference, RegistryException e) => e.Kind switch
    {
        RegistryErrorKind.NotFound when e.Reason.Length > 0 => new EngineException(ErrorKind.NotFound, $"manifest for {reference.FamiliarString} not found: {e.Reason}", e),
        RegistryErrorKind.Denied or RegistryErrorKind.Unauthorized => new EngineException(ErrorKind.NotFound,
            $"pull access denied for {reference.FamiliarName}, repository does not exist or may require 'docker login': {(e.Reason.Length > 0 ? e.Reason : e.Message)}", e),
        _ => new EngineException(EngineException.KindOf(e), e.Message, e),
    };

    /// <summary>Messages of several sources, one after the other.</summary>
    private static Func<JsonMessage, ValueTask> OneAtATime(Func<JsonMessage, ValueTask> progress)
    {
        var gate = new SemaphoreSlim(1, 1);
        return async message =>
        {
            await gate.WaitAsync();
            try
            {
                await progress(message);
            }
            finally
            {
                gate.Release();
            }
        };
    }
}
