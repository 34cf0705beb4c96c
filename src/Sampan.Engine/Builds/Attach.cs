using Sampan.Api;
using Sampan.Build.Context;
using Sampan.Engine.Builds;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary>What goes into a build beside its context, and what comes out of it beside the image.</summary>
public sealed partial class EngineService
{
    /// <summary>As with BuildKit: a secret is a word or a key, not a file system.</summary>
    private const int MaxSecretBytes = 500 * 1024;

    private readonly WaitingAttachments _attachments = new(TimeProvider.System);

    public async Task<string> AttachToBuildAsync(AttachmentOptions options, Stream body, CancellationToken cancel)
    {
        if (options.Name.Length == 0)
        {
            throw EngineException.Invalid("the name of the attachment is empty");
        }

        var attachment = new BuildAttachment(options.Kind, options.Name);
        return _attachments.Add(options.Kind switch
        {
            "secret" => attachment with { Secret = await ReadAsync(body, MaxSecretBytes, $"secret '{options.Name}'", cancel) },
            "ssh" => attachment with
            {
                Agent = LocalSocket.Open(options.Local ?? throw EngineException.Invalid("an agent is given by a descriptor (contextfd)")),
            },
            "context" when options.Local is { } local => attachment with { Local = LocalDirectory.Open(local) },
            "context" => attachment with { Sent = await ContextUnpacker.UnpackAsync(_store, body, null, cancel) },
            "oci-layout" => attachment with { Image = await LoadLayoutAsync(body, options.Name, cancel) },
            _ => throw EngineException.Invalid($"unknown kind of attachment '{options.Kind}' (secret, ssh, context or oci-layout)"),
        });
    }

    public IContextCopy? OpenContextCopy(string key) =>
        _store.ContextCopies.Open(key) is { } copy ? new KeptContext(copy, _store.Layers.Limits) : null;

    public async Task<Func<Stream, CancellationToken, Task>> ImageFilesAsync(string image, CancellationToken cancel)
    {
        var chain = _store.Images.Resolve(image).ChainId;
        var empty = Path.Combine(_options.ExecRoot, "empty");
        Directory.CreateDirectory(empty);
        var lease = _store.Lease();
        try
        {
            // overlayfs without a writable directory wants two to show.
            IReadOnlyList<string> layers = chain is { } top ? [.. _store.Layers.LowerDirs(top), empty] : [empty, empty];
            var root = chain is null ? null : Containers.MergedRoot.OfLayers(layers, null, null, MountDirectory);
            return async (output, stop) =>
            {
                using (lease)
                using (root)
                {
                    await TarTree.WriteAsync(root?.Path ?? empty, "/", output, new TarTreeOptions { Rename = "" }, stop);
                }
            };
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    private async Task<string> LoadLayoutAsync(Stream layout, string name, CancellationToken cancel)
    {
        var result = await _store.Images.LoadAsync(layout, new LoadOptions { Platform = Oci.Platform.Current }, cancel);
        return result.Untagged is [var id] ? id.ToString()
            : throw EngineException.Invalid($"the OCI layout of context '{name}' must hold one image without a name, not {result.Untagged.Count + result.Tags.Count}");
    }

    /// <summary>Reads a body to its end.</summary>
    private static async Task<byte[]> ReadAsync(Stream body, int limit, string what, CancellationToken cancel)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int n; (n = await body.ReadAsync(buffer, cancel)) > 0;)
        {
            all.Write(buffer, 0, n);
            if (all.Length > limit)
            {
                throw EngineException.Invalid($"{what} has more than the {limit:N0} bytes that it may have");
            }
        }

        return all.ToArray();
    }
}
