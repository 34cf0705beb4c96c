using System.Text.RegularExpressions;

namespace Sampan.Build.Sources;

/// <summary>A repository, and what of it is meant: <c>https://host/repo.git#ref:directory</c>, or the same as a query.</summary>
/// <param name="Remote">The URL as git takes it.</param>
/// <param name="Ref">A branch, tag or commit; null for the repository's default.</param>
/// <param name="SubDirectory">The directory to use; empty for all.</param>
/// <param name="Checksum">The commit that the reference must name, at least its beginning.</param>
/// <param name="KeepGitDir">What the URL says of <c>.git</c>; null when it says nothing.</param>
public sealed partial record GitUrl(string Remote, string? Ref, string SubDirectory, string? Checksum, bool? KeepGitDir, bool Submodules)
{
    /// <summary>Without a password, for people to read.</summary>
    public string Display => RemoteUrl.Redact(Remote);

    /// <summary>True for a commit's whole name, which needs nobody to be asked what it stands for.</summary>
    public bool IsCommit => Ref is not null && Commit().IsMatch(Ref);

    /// <summary>Reads a URL; null when it names no git repository.</summary>
    /// <param name="isContext">A build context may also be <c>github.com/owner/repo</c>, which elsewhere is a path.</param>
    /// <exception cref="BuildException">It is one, but its reference, directory or query is wrong.</exception>
    public static GitUrl? TryParse(string text, bool isContext = false)
    {
        var hash = text.IndexOf('#');
        var fragment = hash < 0 ? "" : text[(hash + 1)..];
        var url = hash < 0 ? text : text[..hash];
        if (isContext && url.StartsWith("github.com/", StringComparison.Ordinal))
        {
            url = "https://" + url;
        }
        else if (!ScpLike().IsMatch(url) && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && IsRepository(uri)))
        {
            return null;
        }

        var colon = fragment.IndexOf(':');
        var parsed = new GitUrl(
            url, NullIfEmpty(colon < 0 ? fragment : fragment[..colon]), colon < 0 ? "" : fragment[(colon + 1)..], null, null,
            Submodules: true);
        var query = url.IndexOf('?');
        if (query >= 0)
        {
            parsed = parsed with { Remote = url[..query] };
            foreach (var pair in url[(query + 1)..].Split('&', StringSplitOptions.RemoveEmptyEntries))
            {
                parsed = parsed.With(pair, text);
            }
        }

        return parsed.Checked(text);
    }

    private static bool IsRepository(Uri uri) => uri.Scheme is "git" or "ssh"
        || (uri.Scheme is "http" or "https" && uri.AbsolutePath.EndsWith(".git", StringComparison.Ordinal));

    private GitUrl With(string pair, string text)
    {
        var equals = pair.IndexOf('=');
        var value = equals < 0 ? "" : Uri.UnescapeDataString(pair[(equals + 1)..]);
        return (equals < 0 ? pair : pair[..equals]) switch
        {
            "ref" => this with { Ref = value },
            "branch" => this with { Ref = "refs/heads/" + value },
            "tag" => this with { Ref = "refs/tags/" + value },
            "subdir" => this with { SubDirectory = value },
            "checksum" or "commit" => this with { Checksum = value },
            "keep-git-dir" => this with { KeepGitDir = value is "" or "1" or "true" },
            "submodules" => this with { Submodules = value is "" or "1" or "true" },
            var name => throw Wrong(text,
            $"unexpected query '{name}' (known are ref, branch, tag, subdir, checksum, keep-git-dir and submodules)"),
        };
    }

    private GitUrl Checked(string text) =>
        Remote.StartsWith('-') || Remote.Any(char.IsControl) ? throw Wrong(text, "it is malformed")
        : Ref is not null && !Reference().IsMatch(Ref) ? throw Wrong(text, $"'{Ref}' is no name of a branch, tag or commit")
        : Checksum is not null && !Beginning().IsMatch(Checksum)
            ? throw Wrong(text, $"'{Checksum}' is not a commit (7 to 64 hexadecimal digits)")
        : this;

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private static BuildException Wrong(string text, string reason) =>
        new(BuildErrorKind.InvalidInput, $"git repository '{RemoteUrl.Redact(text)}': {reason}");

    /// <summary><c>user@host:path</c>, as ssh's tools write it.</summary>
    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9._-]+:(?!//)[^\s]+$")]
    private static partial Regex ScpLike();

    [GeneratedRegex("^([0-9a-f]{40}|[0-9a-f]{64})$")]
    private static partial Regex Commit();

    [GeneratedRegex("^[0-9a-f]{7,64}$")]
    private static partial Regex Beginning();

    /// <summary>A stricter form of git-check-ref-format(1): nothing that could be an option or an expression.</summary>
    [GeneratedRegex(@"^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./+@#=,%-]{0,1023}$")]
    private static partial Regex Reference();
}
