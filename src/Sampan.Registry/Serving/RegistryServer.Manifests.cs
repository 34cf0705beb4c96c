using System.Net;
using System.Text.Json;
using Sampan.Oci;

namespace Sampan.Registry.Serving;

/// <summary>Manifests: read, put, deleted.</summary>
public sealed partial class RegistryServer
{
    /// <summary>distribution-spec: a registry should take manifests of 4 MiB, and may refuse larger ones.</summary>
    private const int ManifestLimit = 4 * 1024 * 1024;

    private async Task<HttpResponseMessage> ManifestAsync(string name, string reference, CancellationToken cancel)
    {
        var digest = Digest.TryParse(reference, out var exact) ? exact : (Digest?)null;

        // A mirror's tags may have moved on at the other registry.
        if (_upstream is not null && (digest is null || _content.Manifest(name, digest.Value) is null))
        {
            await _upstream.FetchManifestAsync(name, reference, ReadManifest, cancel);
        }

        if ((digest ?? _content.Tag(name, reference)) is { } pushed && _content.Manifest(name, pushed) is { } manifest)
        {
            return Manifest(_content.ReadManifest(pushed), manifest.MediaType, pushed);
        }

        foreach (var (tag, content, _) in _local.Of(name))
        {
            var own = Digest.OfSha256(content);
            if (digest is null ? tag == reference : own == digest)
            {
                return Manifest(content, MediaTypes.OciManifest, own);
            }
        }

        throw ServedException.NoManifest(reference);

        static HttpResponseMessage Manifest(byte[] content, string mediaType, Digest digest)
        {
            var answer = Served.Bytes(content, mediaType);
            answer.Headers.TryAddWithoutValidation(Served.DigestHeader, digest.ToString());
            answer.Headers.ETag = new System.Net.Http.Headers.EntityTagHeaderValue($"\"{digest}\"");
            return answer;
        }
    }

    private async Task<HttpResponseMessage> PutManifestAsync(string name, string reference, HttpRequestMessage request, CancellationToken cancel)
    {
        var content = await ReadBodyAsync(request, cancel);
        var digest = Digest.OfSha256(content);
        string? tag = null;
        if (reference.Contains(':'))
        {
            if (DigestOf(reference) != digest)
            {
                throw ServedException.BadDigest($"the manifest has digest {digest}, not {reference}");
            }
        }
        else
        {
            tag = ImageReference.TryParse($"registry.invalid/{name}:{reference}", out _) ? reference
                : throw ServedException.BadManifest($"invalid tag \"{reference}\"");
        }

        var manifest = ReadManifest(content, request.Content?.Headers.ContentType?.MediaType);
        foreach (var blob in manifest.Blobs.Select(Digest.Parse).Where(b => _content.BlobSize(name, b) is null))
        {
            // An image of this machine may lend what a client found here and did not send again.
            if (_local.Find(name, blob) is null)
            {
                throw new ServedException(HttpStatusCode.BadRequest, "MANIFEST_BLOB_UNKNOWN",
                    $"blob {blob} of the manifest is not in the repository: push it first");
            }

            await TakeLocalAsync(name, blob, cancel);
        }

        _content.PutManifest(name, digest, content, manifest, tag);
        var answer = Served.Empty(HttpStatusCode.Created, $"/v2/{name}/manifests/{digest}");
        answer.Headers.TryAddWithoutValidation(Served.DigestHeader, digest.ToString());
        if (manifest.Subject is not null)
        {
            answer.Headers.TryAddWithoutValidation(Served.SubjectHeader, manifest.Subject);
        }

        return answer;
    }

    private HttpResponseMessage DeleteManifest(string name, string reference)
    {
        var done = Digest.TryParse(reference, out var digest) ? _content.DeleteManifest(name, digest) : _content.DeleteTag(name, reference);
        return done ? Served.Empty(HttpStatusCode.Accepted)
            : _local.Of(name).Any(i => i.Tag == reference || Digest.OfSha256(i.Manifest).ToString() == reference)
                ? throw ServedException.Unsupported("it is an image of this machine: remove that")
                : throw ServedException.NoManifest(reference);
    }

    /// <summary>What a pushed manifest refers to must outlive the image it was found in.</summary>
    private async Task TakeLocalAsync(string name, Digest digest, CancellationToken cancel)
    {
        var (image, layer) = _local.Find(name, digest) ?? throw ServedException.NoBlob(digest.ToString());
        var upload = _uploads.Begin(name);
        try
        {
            var pipe = new System.IO.Pipelines.Pipe();
            var writing = WriteAsync();
            await upload.AppendAsync(pipe.Reader.AsStream(), cancel);
            await writing;
            upload.Finish();
            _content.PutBlob(name, digest, upload.Path, upload.Length);

            async Task WriteAsync()
            {
                var stream = pipe.Writer.AsStream();
                if (layer is not null)
                {
                    await _store.Layers.WriteTarAsync(layer, stream, cancel);
                }
                else
                {
                    await stream.WriteAsync(image.ConfigJson, cancel);
                }

                await pipe.Writer.CompleteAsync();
            }
        }
        finally
        {
            _uploads.End(upload);
        }
    }

    private static async Task<byte[]> ReadBodyAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        var content = new MemoryStream();
        var body = request.Content is null ? Stream.Null : await request.Content.ReadAsStreamAsync(cancel);
        var buffer = new byte[16 * 1024];
        int n;
        while ((n = await body.ReadAsync(buffer, cancel)) > 0)
        {
            if (content.Length + n > ManifestLimit)
            {
                throw new ServedException(HttpStatusCode.RequestEntityTooLarge, "SIZE_INVALID", $"the manifest is larger than {ManifestLimit} bytes");
            }

            content.Write(buffer, 0, n);
        }

        return content.ToArray();
    }

    /// <summary>What is to be known of a manifest; its type is what the client says, and its text must not say otherwise.</summary>
    private static ServedManifest ReadManifest(byte[] content, string? contentType)
    {
        try
        {
            var kind = JsonSerializer.Deserialize(content.AsSpan(), RegistryJson.Default.KindOfManifest)
                ?? throw ServedException.BadManifest("the manifest is null");
            var mediaType = contentType ?? kind.MediaType ?? (kind.Manifests is null ? MediaTypes.OciManifest : MediaTypes.OciIndex);
            if (kind.SchemaVersion != 2 || (kind.MediaType is not null && kind.MediaType != mediaType))
            {
                throw ServedException.BadManifest(
                    $"the manifest has schema version {kind.SchemaVersion} and type \"{kind.MediaType}\", it was sent as \"{mediaType}\"");
            }

            if (MediaTypes.IsIndex(mediaType))
            {
                var index = JsonSerializer.Deserialize(content.AsSpan(), RegistryJson.Default.IndexWithSubject)!;
                return new ServedManifest(mediaType, content.Length, index.Subject?.Digest.ToString(), index.ArtifactType, index.Annotations, [])
                {
                    Manifests = [.. JsonSerializer.Deserialize(content.AsSpan(), ImageJson.Compact.ImageIndex)!.Manifests.Select(m => m.Digest.ToString())],
                };
            }

            var manifest = JsonSerializer.Deserialize(content.AsSpan(), ImageJson.Compact.Manifest)!;
            var blobs = manifest.Layers.Where(l => l.Urls is not { Count: > 0 }).Append(manifest.Config).Select(b => b.Digest.ToString()).Distinct().ToList();
            return new ServedManifest(mediaType, content.Length, manifest.Subject?.Digest.ToString(),
                manifest.ArtifactType ?? manifest.Config.MediaType, manifest.Annotations, blobs);
        }
        catch (JsonException e)
        {
            throw ServedException.BadManifest($"the manifest is not valid: {e.Message}");
        }
    }
}
