namespace Sampan.Dockerfile.Lint;

/// <summary>The form of an image's name: <c>[host[:port]/]path[:tag][@sha256:hex]</c>, after the distribution specification.</summary>
internal static class ImageName
{
    private const int MaxChars = 255;
    private const int MaxTagChars = 128;

    public static bool IsValid(string text)
    {
        var at = text.IndexOf('@');
        if (at >= 0 && !IsDigest(text[(at + 1)..]))
        {
            return false;
        }

        var name = at < 0 ? text : text[..at];
        var colon = name.LastIndexOf(':');
        if (colon > name.LastIndexOf('/'))
        {
            if (!IsTag(name[(colon + 1)..]))
            {
                return false;
            }

            name = name[..colon];
        }

        var parts = name.Split('/');
        var hasHost = parts.Length > 1 && (parts[0].Contains('.') || parts[0].Contains(':') || parts[0] == "localhost");
        return name.Length is > 0 and <= MaxChars && (!hasHost || IsHost(parts[0])) && parts.Skip(hasHost ? 1 : 0).All(IsPathPart);
    }

    private static bool IsHost(string text)
    {
        var colon = text.IndexOf(':');
        var host = colon < 0 ? text : text[..colon];
        return host.Length > 0 && host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-')
            && (colon < 0 || (text.Length > colon + 1 && text[(colon + 1)..].All(char.IsAsciiDigit)));
    }

    /// <summary>Small letters and digits; between them a dot, one or two underscores, or dashes.</summary>
    private static bool IsPathPart(string text)
    {
        var i = 0;
        while (true)
        {
            var start = i;
            while (i < text.Length && (char.IsAsciiLetterLower(text[i]) || char.IsAsciiDigit(text[i])))
            {
                i++;
            }

            if (i == start || i == text.Length)
            {
                return i > start;
            }

            var separator = i;
            while (i < text.Length && text[i] is '.' or '_' or '-')
            {
                i++;
            }

            if (text[separator..i] is not ("." or "_" or "__") && !(i > separator && text[separator..i].All(c => c == '-')))
            {
                return false;
            }
        }
    }

    private static bool IsTag(string text) => text.Length is > 0 and <= MaxTagChars && (char.IsAsciiLetterOrDigit(text[0]) || text[0] == '_')
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    private static bool IsDigest(string text)
    {
        var colon = text.IndexOf(':');
        return colon > 0 && text.Length - colon - 1 >= 32 && text[(colon + 1)..].All(char.IsAsciiHexDigit);
    }
}
