using System.Text.Json;
using Sampan.Api;
using Sampan.Oci;
using Sampan.Registry;

namespace Sampan.Engine;

/// <summary><c>push</c>.</summary>
public sealed partial class EngineService
{
    public Task PushImageAsync(PushOptions options, Func<JsonMessage, ValueTask> progress, CancellationToken cancel)
    {
        var reference = ImageReference.ParseName(string.IsNullOrEmpty(options.Tag) ? options.Image : $"{options.Image}:{options.Tag}");
        if (reference.Digest is not null)
        {
            throw EngineException.Invalid("cannot push a digest reference");
        }

        return TransferProgress.RunAsync(progress, async told =>
        {
            told.Report(new JsonMessage { Status = $"The push refers to repository [{reference.Name}]" });
            foreach (var (name, image) in ToPush(reference))
            {
                RequirePlatform(name.FamiliarString, image, options.Platform);
                var pushed = await PushOneAsync(name, image, CredentialsOf(options.Auth), told, cancel);
                told.Report(new JsonMessage
                {
                    ProgressDetail = new ProgressDetail(),
                    Aux = JsonSerializer.SerializeToElement(
                        new PushResult { Tag = name.Tag!, Digest = pushed.Digest.ToString(), Size = pushed.Size }, ApiJson.Wire.PushResult),
                });
                _events.Publish("image", "push", name.FamiliarString, new Dictionary<string, string> { ["name"] = name.FamiliarName });
            }

            return true;
        });
    }

    private async Task<Descriptor> PushOneAsync(ImageReference name, Store.ImageRecord image, Credentials credentials, TransferProgress told, CancellationToken cancel)
    {
        try
        {
            return await _registries.PushAsync(name, image, credentials, told.Report, cancel);
        }
        catch (RegistryException e) when (e.Kind is RegistryErrorKind.Denied or RegistryErrorKind.Unauthorized && e.Reason.Length > 0)
        {
            throw new EngineException(EngineException.KindOf(e), e.Reason, e);
        }
    }

    /// <summary>The named tag, or all tags of the repository.</summary>
    private List<(ImageReference Name, Store.ImageRecord Image)> ToPush(ImageReference reference)
    {
        var all = _store.Images.List()
            .SelectMany(i => i.RepoTags.Select(t => (Name: ImageReference.ParseName(t), Image: i)))
            .Where(t => t.Name.Name == reference.Name).OrderBy(t => t.Name.Tag, StringComparer.Ordinal).ToList();
        var wanted = all.FindAll(t => reference.Tag is null || t.Name.Tag == reference.Tag);
        return wanted.Count > 0 ? wanted : throw EngineException.NotFound(all.Count == 0
            ? $"An image does not exist locally with the tag: {reference.FamiliarName}"
            : $"tag does not exist: {reference.FamiliarString}");
    }
}
