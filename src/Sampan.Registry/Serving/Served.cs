using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Sampan.Registry.Serving;

/// <summary>An error in the shape of distribution-spec, "Error Codes".</summary>
internal sealed class ServedException(HttpStatusCode status, string code, string message) : Exception(message)
{
    public HttpStatusCode Status => status;

    public string Code => code;

    public static ServedException NoName(string name) => new(HttpStatusCode.NotFound, "NAME_UNKNOWN", $"repository \"{name}\" is not known here");

    public static ServedException NoBlob(string digest) => new(HttpStatusCode.NotFound, "BLOB_UNKNOWN", $"blob {digest} is not in the repository");

    public static ServedException NoManifest(string reference) =>
        new(HttpStatusCode.NotFound, "MANIFEST_UNKNOWN", $"manifest {reference} is not in the repository");

    public static ServedException NoUpload(string id) => new(HttpStatusCode.NotFound, "BLOB_UPLOAD_UNKNOWN", $"upload \"{id}\" is not known, or has ended");

    public static ServedException BadDigest(string message) => new(HttpStatusCode.BadRequest, "DIGEST_INVALID", message);

    public static ServedException BadManifest(string message) => new(HttpStatusCode.BadRequest, "MANIFEST_INVALID", message);

    public static ServedException Unsupported(string message) => new(HttpStatusCode.MethodNotAllowed, "UNSUPPORTED", message);
}

/// <summary>Makes answers.</summary>
internal static class Served
{
    public const string DigestHeader = "Docker-Content-Digest", UploadHeader = "Docker-Upload-UUID",
        SubjectHeader = "OCI-Subject", FiltersHeader = "OCI-Filters-Applied";

    public static HttpResponseMessage Empty(HttpStatusCode status, string? location = null)
    {
        var answer = new HttpResponseMessage(status) { Content = new ByteArrayContent([]) };
        if (location is not null)
        {
            answer.Headers.Location = new Uri(location, UriKind.Relative);
        }

        return answer;
    }

    public static HttpResponseMessage Json<T>(T value, JsonTypeInfo<T> type, string mediaType = "application/json") =>
        Bytes(JsonSerializer.SerializeToUtf8Bytes(value, type), mediaType);

    public static HttpResponseMessage Bytes(byte[] content, string mediaType, HttpStatusCode status = HttpStatusCode.OK)
    {
        var answer = new HttpResponseMessage(status) { Content = new ByteArrayContent(content) };
        answer.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(mediaType);
        return answer;
    }

    public static HttpResponseMessage Error(ServedException e)
    {
        var answer = Bytes(JsonSerializer.SerializeToUtf8Bytes(new ServedErrors([new ErrorItem(e.Code, e.Message)]), RegistryJson.Default.ServedErrors),
            "application/json", e.Status);
        return answer;
    }

    /// <summary>Content of a known size, all of it or the range that was asked for (RFC 9110, section 14; one range only).</summary>
    /// <param name="write">Writes from an offset so many bytes.</param>
    public static HttpResponseMessage Ranged(HttpRequestMessage request, long size, Func<Stream, long, long, CancellationToken, Task> write)
    {
        var (from, length) = (0L, size);
        var range = request.Headers.Range is { Unit: "bytes", Ranges.Count: 1 } header ? header.Ranges.First() : null;
        if (range is not null)
        {
            from = range.From ?? Math.Max(0, size - range.To!.Value);
            var last = range.From is null ? size - 1 : Math.Min(range.To ?? long.MaxValue, size - 1);
            length = last - from + 1;
            if (from >= size || length <= 0)
            {
                var refusal = Error(new ServedException(HttpStatusCode.RequestedRangeNotSatisfiable, "SIZE_INVALID",
                    $"the range begins behind the end at {size}"));
                refusal.Content.Headers.ContentRange = new ContentRangeHeaderValue(size);
                return refusal;
            }
        }

        var answer = new HttpResponseMessage(range is null ? HttpStatusCode.OK : HttpStatusCode.PartialContent)
        {
            Content = new StreamedContent((stream, cancel) => write(stream, from, length, cancel)),
        };
        answer.Content.Headers.ContentLength = length;
        answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        answer.Headers.AcceptRanges.Add("bytes");
        if (range is not null)
        {
            answer.Content.Headers.ContentRange = new ContentRangeHeaderValue(from, from + length - 1, size);
        }

        return answer;
    }
}

/// <summary>Lets a part of what is written through, and drops the rest.</summary>
internal sealed class WindowStream(Stream inner, long skip, long length) : SequentialStream
{
    private long _skip = skip, _left = length;

    public override bool CanWrite => true;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var drop = (int)Math.Min(_skip, buffer.Length);
        var take = (int)Math.Min(_left, buffer.Length - drop);
        _skip -= drop;
        _left -= take;
        if (take > 0)
        {
            await inner.WriteAsync(buffer.Slice(drop, take), cancellationToken);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Flush() => inner.Flush();
}
