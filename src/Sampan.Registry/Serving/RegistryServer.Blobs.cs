using System.Net;
using Sampan.Oci;

namespace Sampan.Registry.Serving;

/// <summary>Blobs: read, uploaded at once or in chunks, mounted, deleted.</summary>
public sealed partial class RegistryServer
{
    private async Task<HttpResponseMessage> BlobAsync(string name, Digest digest, HttpRequestMessage request, CancellationToken cancel)
    {
        var size = _content.BlobSize(name, digest);
        HttpResponseMessage answer;
        if (size is null && _local.Find(name, digest) is { } found)
        {
            answer = found.Layer is { } layer
                ? Served.Ranged(request, layer.TarSize, async (stream, from, length, stop) =>
                {
                    using var lease = _store.Lease();
                    await using var window = new WindowStream(stream, from, length);
                    await _store.Layers.WriteTarAsync(layer, window, stop);
                })
                : Served.Ranged(request, found.Image.ConfigJson.Length, (stream, from, length, stop) =>
                    stream.WriteAsync(found.Image.ConfigJson.Slice((int)from, (int)length), stop).AsTask());
        }
        else
        {
            size ??= _upstream is null ? null : await _upstream.FetchBlobAsync(name, digest, cancel);
            answer = Served.Ranged(request, size ?? throw ServedException.NoBlob(digest.ToString()),
                (stream, from, length, stop) => SendAsync(digest, stream, from, length, stop));
        }

        answer.Headers.TryAddWithoutValidation(Served.DigestHeader, digest.ToString());
        return answer;
    }

    private async Task SendAsync(Digest digest, Stream stream, long from, long length, CancellationToken cancel)
    {
        await using var file = _content.OpenBlob(digest);
        file.Position = from;
        var buffer = new byte[128 * 1024];
        while (length > 0)
        {
            var n = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, length)), cancel);
            length -= n > 0 ? n : throw new EndOfStreamException($"blob {digest} is shorter than it was");
            await stream.WriteAsync(buffer.AsMemory(0, n), cancel);
        }
    }

    private HttpResponseMessage DeleteBlob(string name, Digest digest) =>
        _content.DeleteBlob(name, digest) ? Served.Empty(HttpStatusCode.Accepted)
        : _local.Find(name, digest) is not null ? throw ServedException.Unsupported("it belongs to an image of this machine: remove that")
        : throw ServedException.NoBlob(digest.ToString());

    /// <summary>POST: a mount, a whole blob, or the beginning of an upload.</summary>
    private async Task<HttpResponseMessage> BeginAsync(string name, Dictionary<string, string> query, HttpRequestMessage request, CancellationToken cancel)
    {
        if (query.TryGetValue("mount", out var mount))
        {
            var digest = DigestOf(mount);
            var from = query.GetValueOrDefault("from") ?? _content.RepositoryOf(digest);
            if (from is not null && _content.MountBlob(Name(from.Split('/')), name, digest))
            {
                return Created(name, digest);
            }
        }

        var upload = _uploads.Begin(name);
        if (!query.TryGetValue("digest", out var whole))
        {
            return Progress(upload, HttpStatusCode.Accepted);
        }

        return await FinishAsync(upload, whole, request, cancel);
    }

    private async Task<HttpResponseMessage> UploadAsync(string name, string id, Dictionary<string, string> query, HttpRequestMessage request,
        CancellationToken cancel)
    {
        var upload = _uploads.Get(name, id);
        await upload.Gate.WaitAsync(cancel);
        try
        {
            switch (request.Method.Method)
            {
                case "GET":
                    return Progress(upload, HttpStatusCode.NoContent);
                case "DELETE":
                    _uploads.End(upload);
                    return Served.Empty(HttpStatusCode.NoContent);
                case "PATCH":
                    if (OutOfOrder(upload, request) is { } refusal)
                    {
                        return refusal;
                    }

                    await AppendAsync(upload, request, cancel);
                    return Progress(upload, HttpStatusCode.Accepted);
                case "PUT":
                    return OutOfOrder(upload, request) ?? await FinishAsync(upload, query.GetValueOrDefault("digest") ?? "", request, cancel);
                default:
                    throw ServedException.Unsupported($"{request.Method} is not supported for an upload");
            }
        }
        finally
        {
            upload.Gate.Release();
        }
    }

    /// <summary>A chunk must begin where the last one ended (distribution-spec, "Pushing a blob in chunks").</summary>
    private static HttpResponseMessage? OutOfOrder(Upload upload, HttpRequestMessage request)
    {
        var range = request.Content?.Headers.TryGetValues("Content-Range", out var values) == true ? values.First() : null;
        if (range is null || (range.Split('-') is [var from, _] && long.TryParse(from, out var offset) && offset == upload.Length))
        {
            return null;
        }

        var refusal = Progress(upload, HttpStatusCode.RequestedRangeNotSatisfiable);
        return refusal;
    }

    private static async Task AppendAsync(Upload upload, HttpRequestMessage request, CancellationToken cancel)
    {
        if (request.Content is { } content)
        {
            await upload.AppendAsync(await content.ReadAsStreamAsync(cancel), cancel);
        }
    }

    private async Task<HttpResponseMessage> FinishAsync(Upload upload, string expected, HttpRequestMessage request, CancellationToken cancel)
    {
        var digest = DigestOf(expected);
        try
        {
            await AppendAsync(upload, request, cancel);
            var actual = upload.Finish();
            if (actual != digest)
            {
                throw ServedException.BadDigest($"the content has digest {actual}, not {digest}");
            }

            _content.PutBlob(upload.Repository, digest, upload.Path, upload.Length);
            return Created(upload.Repository, digest);
        }
        finally
        {
            _uploads.End(upload);
        }
    }

    private static HttpResponseMessage Progress(Upload upload, HttpStatusCode status)
    {
        var answer = Served.Empty(status, $"/v2/{upload.Repository}/blobs/uploads/{upload.Id}");
        answer.Headers.TryAddWithoutValidation("Range", $"0-{Math.Max(0, upload.Length - 1)}");
        answer.Headers.TryAddWithoutValidation(Served.UploadHeader, upload.Id);
        return answer;
    }

    private static HttpResponseMessage Created(string name, Digest digest)
    {
        var answer = Served.Empty(HttpStatusCode.Created, $"/v2/{name}/blobs/{digest}");
        answer.Headers.TryAddWithoutValidation(Served.DigestHeader, digest.ToString());
        return answer;
    }
}
