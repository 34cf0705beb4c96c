namespace Sampan.Build.Sources;

/// <summary>Sources that are on other machines.</summary>
public static class RemoteUrl
{
    public static bool IsHttp(string source) => source.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
        || source.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    /// <summary>The URL with what its user information says replaced, for messages.</summary>
    public static string Redact(string url)
    {
        var scheme = url.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0)
        {
            return url;
        }

        var end = url.IndexOfAny(['/', '?', '#'], scheme + 3);
        var at = url.LastIndexOf('@', (end < 0 ? url.Length : end) - 1);
        return at <= scheme ? url : $"{url[..(scheme + 3)]}xxxxx{url[at..]}";
    }
}
