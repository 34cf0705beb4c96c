using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>Reads answers, never more of them than a limit.</summary>
internal static class Answers
{
    private const int ErrorLimit = 64 * 1024, ErrorsShown = 3, TextLimit = 300;

    /// <exception cref="RegistryException">It is longer.</exception>
    public static async Task<byte[]> BytesAsync(HttpResponseMessage answer, int limit, CancellationToken cancel)
    {
        var what = answer.RequestMessage?.RequestUri;
        if (answer.Content.Headers.ContentLength > limit)
        {
            throw TooLong();
        }

        await using var body = await answer.Content.ReadAsStreamAsync(cancel);
        var all = new MemoryStream();
        var buffer = new byte[16 * 1024];
        for (int n; (n = await body.ReadAsync(buffer, cancel)) > 0;)
        {
            all.Write(buffer, 0, all.Length + n <= limit ? n : throw TooLong());
        }

        return all.ToArray();

        RegistryException TooLong() => new(RegistryErrorKind.InvalidAnswer, $"{what}: the answer has more than the limit of {limit} bytes");
    }

    /// <exception cref="RegistryException">It is longer, or no JSON of this shape.</exception>
    public static async Task<T> JsonAsync<T>(HttpResponseMessage answer, JsonTypeInfo<T> type, int limit, CancellationToken cancel)
        where T : class =>
        Parse(await BytesAsync(answer, limit, cancel), type, $"{answer.RequestMessage?.RequestUri}");

    /// <exception cref="RegistryException">It is no JSON of this shape.</exception>
    public static T Parse<T>(byte[] json, JsonTypeInfo<T> type, string what)
        where T : class
    {
        try
        {
            return ImageJson.Parse(json, type);
        }
        catch (JsonException e)
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer, $"{what}: the answer is not what it should be: {e.Message}", e);
        }
    }

    /// <summary>What an answer that refuses says, as <c>denied: requested access to the resource is denied</c>.</summary>
    public static async Task<RegistryException> ErrorAsync(HttpResponseMessage answer, string what, CancellationToken cancel)
    {
        var reason = await ReasonAsync(answer, cancel);
        var kind = answer.StatusCode switch
        {
            HttpStatusCode.NotFound => RegistryErrorKind.NotFound,
            HttpStatusCode.Unauthorized => RegistryErrorKind.Unauthorized,
            HttpStatusCode.Forbidden => RegistryErrorKind.Denied,
            HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError => RegistryErrorKind.Unavailable,
            _ => RegistryErrorKind.InvalidAnswer,
        };
        return new RegistryException(kind, $"{what}: {reason}") { Reason = reason };
    }

    private static async Task<string> ReasonAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        var status = $"{(int)answer.StatusCode} {answer.ReasonPhrase}".TrimEnd();
        byte[] body;
        try
        {
            body = await BytesAsync(answer, ErrorLimit, cancel);
        }
        catch (Exception e) when (e is RegistryException or HttpRequestException or IOException)
        {
            return status;
        }

        try
        {
            var error = JsonSerializer.Deserialize(body.AsSpan(), RegistryJson.Default.ErrorAnswer);
            var items = error?.Errors?.Where(i => i is not null).Take(ErrorsShown).Select(i => $"{Words(i.Code)}: {Clip(i.Message ?? "")}")
                .ToList() ?? [];
            return items.Count > 0 ? string.Join("; ", items) : (error?.Details ?? error?.Message) is { Length: > 0 } text
                ? $"{status}: {Clip(text)}" : status;
        }
        catch (JsonException)
        {
            // A proxy's page, most likely: the status says more than its HTML.
            return status;
        }
    }

    /// <summary>MANIFEST_UNKNOWN as Docker prints it.</summary>
    private static string Words(string? code) => Clip(code ?? "unknown").ToLowerInvariant().Replace('_', ' ');

    private static string Clip(string text) =>
        string.Concat((text.Length > TextLimit ? text[..TextLimit] + "…" : text).Select(c => char.IsControl(c) ? ' ' : c));
}
