using System.Diagnostics.CodeAnalysis;

namespace Sampan.Oci;

/// <summary>
/// An image's name in canonical form, as <c>docker.io/library/debian:12</c>. The grammar is Docker's (distribution/reference):
/// <code>
/// reference := name [":" tag] ["@" digest]      name := [domain "/"] component {"/" component}
/// domain    := (host | "[" IPv6 "]") [":" port] tag  := [A-Za-z0-9_] {[A-Za-z0-9_.-]} (≤ 128)
/// component := [a-z0-9]+ {("." | "_" | "__" | "-"+) [a-z0-9]+}
/// </code>
/// </summary>
public sealed record ImageReference
{
    private const string DefaultDomain = "docker.io", LegacyDefaultDomain = "index.docker.io", OfficialPrefix = "library/", DefaultTag = "latest";

    private ImageReference(string domain, string path, string? tag, Digest? digest) => (Domain, Path, Tag, Digest) = (domain, path, tag, digest);

    /// <summary>The registry, <c>docker.io</c> when none was named.</summary>
    public string Domain { get; }

    /// <summary>The repository inside the registry, <c>library/debian</c>.</summary>
    public string Path { get; }

    /// <summary>The tag; null when only a digest (or, from <see cref="ParseName"/>, nothing) was given.</summary>
    public string? Tag { get; }

    public Digest? Digest { get; }

    /// <summary>Domain and path.</summary>
    public string Name => $"{Domain}/{Path}";

    /// <summary>The name as people write it, <c>debian</c>.</summary>
    public string FamiliarName => Domain != DefaultDomain ? Name
        : Path.StartsWith(OfficialPrefix, StringComparison.Ordinal) && Path.IndexOf('/', OfficialPrefix.Length) < 0 ? Path[OfficialPrefix.Length..]
        : Path;

    /// <summary>The reference as people write it, <c>debian:12</c>.</summary>
    public string FamiliarString => FamiliarName + Suffix;

    /// <summary>Reads a reference; without tag and digest the tag is <c>latest</c>.</summary>
    /// <exception cref="FormatException">With Docker's words, which begin "invalid reference format".</exception>
    public static ImageReference Parse(string text)
    {
        var reference = ParseName(text);
        return reference.Tag is null && reference.Digest is null ? reference.WithTag(DefaultTag) : reference;
    }

    /// <summary>Reads a reference without adding a tag.</summary>
    /// <exception cref="FormatException">With Docker's words, which begin "invalid reference format".</exception>
    public static ImageReference ParseName(string text)
    {
        var error = ReferenceGrammar.Parse(text, out var domain, out var path, out var tag, out var digest);
        return error is null ? new ImageReference(domain, path, tag, digest) : throw new FormatException(error);
    }

    /// <summary>Reads a reference as <see cref="Parse"/> does.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out ImageReference? reference)
    {
        reference = null;
        if (text is null || ReferenceGrammar.Parse(text, out var domain, out var path, out var tag, out var digest) is not null)
        {
            return false;
        }

        reference = new ImageReference(domain, path, tag ?? (digest is null ? DefaultTag : null), digest);
        return true;
    }

    /// <summary>The same repository with a tag and no digest.</summary>
    /// <exception cref="FormatException">The tag is not one.</exception>
    public ImageReference WithTag(string tag) =>
        ReferenceGrammar.IsTag(tag) ? new ImageReference(Domain, Path, tag, null) : throw new FormatException("invalid tag format");

    /// <summary>The same repository with a digest and no tag.</summary>
    public ImageReference WithDigest(Digest digest) => new(Domain, Path, null, digest);

    /// <summary>The canonical form with domain.</summary>
    public override string ToString() => Name + Suffix;

    private string Suffix => (Tag is null ? "" : $":{Tag}") + (Digest is null ? "" : $"@{Digest}");

    /// <summary>Splits off the domain as Docker does: the first component is one only if it has a dot, a colon, an upper-case letter, or is localhost.</summary>
    internal static (string Domain, string Remainder) SplitDomain(string name)
    {
        var slash = name.IndexOf('/');
        if (slash < 0 || (!name.AsSpan(0, slash).ContainsAny('.', ':') && name[..slash] != "localhost" && !name[..slash].Any(char.IsUpper)))
        {
            return (DefaultDomain, slash < 0 ? OfficialPrefix + name : name);
        }

        var (domain, remainder) = (name[..slash], name[(slash + 1)..]);
        if (domain is LegacyDefaultDomain)
        {
            domain = DefaultDomain;
        }

        return (domain, domain == DefaultDomain && !remainder.Contains('/') ? OfficialPrefix + remainder : remainder);
    }
}
