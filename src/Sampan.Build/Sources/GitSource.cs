using System.Globalization;
using Sampan.Linux;
using Sampan.Store;

namespace Sampan.Build.Sources;

/// <summary>A git repository: (1) which commit a reference means, (2) the files of that commit.</summary>
internal sealed class GitSource(GitUrl url, bool keepGitDir, string? sshAgent, SourceLimits limits)
{
    private string? _fullRef;

    /// <summary>
    /// The commit, as far as the server's list of references tells it; null when it has to be fetched to know (a short name).
    /// </summary>
    /// <exception cref="BuildException">There is no such reference, the server cannot be reached, or it is not the expected
    /// commit.</exception>
    public async Task<string?> ResolveAsync(string home, CancellationToken cancel)
    {
        if (url.IsCommit)
        {
            return Verify(url.Ref!, null);
        }

        var wanted = url.Ref ?? "HEAD";
        string[] names = wanted == "HEAD" || wanted.StartsWith("refs/", StringComparison.Ordinal) ? [wanted]
            : [$"refs/heads/{wanted}", $"refs/tags/{wanted}", $"refs/{wanted}"]; // as git-checkout does, a branch before a tag
        var output = await new GitProgram(home, sshAgent).RunAsync(
            ["ls-remote", "--", url.Remote, .. names.SelectMany(name => (string[])[name, name + "^{}"])], limits.Git, cancel);
        var refs = output.Split('\n').Select(line => line.Split('\t')).Where(fields => fields.Length == 2 && fields[0].Length is 40 or 64)
            .DistinctBy(fields => fields[1]).ToDictionary(fields => fields[1], fields => fields[0]);
        if (names.FirstOrDefault(refs.ContainsKey) is { } found)
        {
            _fullRef = found;
            return Verify(refs.GetValueOrDefault(found + "^{}") ?? refs[found], refs[found]);
        }

        return url.Ref is { Length: >= 7 } text && text.All(char.IsAsciiHexDigitLower) ? null
            : throw new BuildException(BuildErrorKind.InvalidInput,
                $"git repository '{url.Display}' has no {(url.Ref is null ? "HEAD" : $"branch or tag '{wanted}'")}");
    }

    /// <summary>Fetches the files into a new directory and gives the commit. Times are the commit's, permissions 0755 and 0644.</summary>
    /// <param name="commit">What <see cref="ResolveAsync"/> gave.</param>
    /// <exception cref="BuildException">git failed.</exception>
    public async Task<string> CheckOutAsync(string? commit, string home, string directory, CancellationToken cancel)
    {
        var git = new GitProgram(home, sshAgent);
        string[] In(params string[] arguments) => ["-C", directory, .. arguments];
        await git.RunAsync(["init", "--quiet", "--template=", "--", directory], limits.Git, cancel);
        await git.RunAsync(In("remote", "add", "origin", url.Display), limits.Git, cancel);

        // One commit is enough, but not every server gives one alone, nor by its name.
        var (code, _) = commit is null ? (1, "") : await git.TryAsync(
            In("fetch", "--quiet", "--depth=1", "--no-tags", "--", url.Remote, _fullRef ?? commit), limits.Git, cancel);
        if (code != 0)
        {
            await git.RunAsync(
                In("fetch", "--quiet", "--tags", "--", url.Remote, "+refs/heads/*:refs/remotes/origin/*",
                "+HEAD:refs/remotes/origin/HEAD"), limits.Git, cancel);
        }

        commit ??= Verify((await git.RunAsync(In("rev-parse", "--verify", "--quiet", $"{url.Ref}^{{commit}}"), limits.Git, cancel))
            .Trim(), null);
        await git.RunAsync(In("checkout", "--quiet", "--force", "--detach", commit), limits.Git, cancel);
        if (url.Submodules && File.Exists(Path.Combine(directory, ".gitmodules")))
        {
            await git.RunAsync(In("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"), limits.Git, cancel);
        }

        var seconds = (await git.RunAsync(In("log", "-1", "--format=%ct", commit), limits.Git, cancel)).Trim();
        var time = long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var known) ? known : 0;
        Settle(directory, keepGitDir, new FileTime(time, 0));
        return commit;
    }

    private string Verify(string commit, string? tag)
    {
        var expected = url.Checksum;
        return expected is null || commit.StartsWith(expected, StringComparison.Ordinal)
            || tag?.StartsWith(expected, StringComparison.Ordinal) == true
            ? commit
            : throw new BuildException(BuildErrorKind.InvalidInput,
                $"expected checksum to match {expected}, got {commit} ('{url.Display}', {url.Ref ?? "HEAD"})");
    }

    /// <summary>What depends on the machine and the moment goes: git's own files, permissions by umask, times.</summary>
    private static void Settle(string directory, bool keepGitDir, FileTime time)
    {
        var top = Sys.Open(directory, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            Walk(top, keepGitDir, time, isTop: true);
            Sys.SetTimes(top, time);
        }
        finally
        {
            Sys.Close(top);
        }
    }

    private static void Walk(int directory, bool keepGitDir, FileTime time, bool isTop)
    {
        Sys.Chmod(directory, 0x1ED);
        foreach (var name in Sys.ReadDirectory(directory))
        {
            var stat = Sys.StatAt(directory, name);
            var isGit = name.AsSpan().SequenceEqual(".git"u8);
            if (isGit && !keepGitDir)
            {
                TreeRemover.Remove(directory, name);
                continue;
            }

            if (stat.IsDirectory)
            {
                if (isGit && isTop)
                {
                    Array.ForEach(["FETCH_HEAD"u8.ToArray(), "logs"u8.ToArray()], leftover =>
                        TreeRemover.Remove(directory, [.. ".git/"u8, .. leftover]));
                }

                var inner = Sys.OpenAt(directory, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
                try
                {
                    Walk(inner, keepGitDir, time, isTop: false);
                }
                finally
                {
                    Sys.Close(inner);
                }
            }
            else if (stat.IsRegular)
            {
                Sys.ChmodAt(directory, name, (stat.Permissions & 0x40) != 0 ? 0x1EDu : 0x1A4u);
            }

            Sys.SetTimesAt(directory, name, time);
        }
    }
}
