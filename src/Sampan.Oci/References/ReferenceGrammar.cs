namespace Sampan.Oci;

/// <summary>The recognizer behind <see cref="ImageReference"/>: one pass from the left, no backtracking.</summary>
internal static class ReferenceGrammar
{
    private const int NameLimit = 255, TagLimit = 128, TextLimit = 4096;
    private const string Invalid = "invalid reference format";

    /// <summary>Reads and normalizes; gives Docker's error or null.</summary>
    public static string? Parse(string text, out string domain, out string path, out string? tag, out Digest? digest)
    {
        (domain, path, tag, digest) = ("", "", null, null);
        if (text.Length > TextLimit)
        {
            return Invalid;
        }

        if (text.Length == 64 && !text.AsSpan().ContainsAnyExcept("0123456789abcdef"))
        {
            return $"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings";
        }

        (domain, var remainder) = ImageReference.SplitDomain(text);

        // An upper-case letter gets its own message, but only in the repository: tags and digests follow.
        var repository = remainder[..End(remainder, ":@")];
        if (repository.Any(c => c is >= 'A' and <= 'Z' || (c > 127 && char.IsUpper(c))))
        {
            return $"{Invalid}: repository name ({repository}) must be lowercase";
        }

        if (!IsDomain(domain) || !IsPath(repository))
        {
            return Invalid;
        }

        path = repository;
        var rest = remainder[repository.Length..];
        if (rest.StartsWith(':'))
        {
            var end = 1 + End(rest[1..], "@");
            tag = rest[1..end];
            rest = rest[end..];
            if (!IsTag(tag))
            {
                return Invalid;
            }
        }

        if (rest.StartsWith('@'))
        {
            if (!IsDigest(rest[1..], out var parsed, out var unsupported))
            {
                return unsupported ?? Invalid;
            }

            digest = parsed;
        }

        return path.Length > NameLimit ? $"repository name must not be more than {NameLimit} characters" : null;
    }

    public static bool IsTag(string tag) =>
        tag.Length is > 0 and <= TagLimit && tag[0] is not ('.' or '-') && tag.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    private static int End(string text, string stops)
    {
        var end = text.AsSpan().IndexOfAny(stops);
        return end < 0 ? text.Length : end;
    }

    private static bool IsPath(string path) => path.Length > 0 && path.Split('/').All(IsComponent);

    private static bool IsComponent(string component)
    {
        // Alphanumerics joined by one separator: ".", "_", "__" or any number of "-".
        var i = 0;
        while (true)
        {
            var start = i;
            while (i < component.Length && (char.IsAsciiLetterLower(component[i]) || char.IsAsciiDigit(component[i])))
            {
                i++;
            }

            if (i == start || i == component.Length)
            {
                return i > start;
            }

            var separator = component[i++];
            if (separator is not ('.' or '_' or '-'))
            {
                return false;
            }

            while (i < component.Length && component[i] == separator && (separator == '-' || (separator == '_' && component[i - 2] != '_')))
            {
                i++;
            }
        }
    }

    private static bool IsDomain(string domain)
    {
        var host = domain;
        if (domain.StartsWith('['))
        {
            var close = domain.IndexOf(']');
            if (close < 2 || domain.AsSpan(1, close - 1).ContainsAnyExcept("0123456789abcdefABCDEF:"))
            {
                return false;
            }

            return close == domain.Length - 1 || (domain[close + 1] == ':' && IsPort(domain[(close + 2)..]));
        }

        var colon = domain.IndexOf(':');
        if (colon >= 0)
        {
            host = domain[..colon];
            if (!IsPort(domain[(colon + 1)..]))
            {
                return false;
            }
        }

        return host.Split('.').All(label => label.Length > 0 && label[0] != '-' && label[^1] != '-'
            && label.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'));
    }

    private static bool IsPort(string port) => port.Length > 0 && port.All(char.IsAsciiDigit);

    /// <summary>The grammar admits any algorithm; one that we cannot compute has its own message.</summary>
    private static bool IsDigest(string text, out Digest digest, out string? unsupported)
    {
        unsupported = null;
        if (Digest.TryParse(text, out digest))
        {
            return true;
        }

        var colon = text.IndexOf(':');
        if (colon <= 0 || !char.IsAsciiLetter(text[0]) || text.AsSpan(colon + 1).ContainsAnyExcept("0123456789abcdefABCDEF")
            || text.Length - colon - 1 < 32 || text[..colon].Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('+' or '.' or '-' or '_')))
        {
            return false;
        }

        unsupported = text[..colon] is "sha256" or "sha384" or "sha512" ? "invalid checksum digest length" : "unsupported digest algorithm";
        return false;
    }
}
