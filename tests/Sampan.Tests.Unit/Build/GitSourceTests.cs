using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Sampan.Build;
using Sampan.Build.Sources;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>ADD of git repositories, served by git's own daemon on loopback.</summary>
public sealed class GitSourceTests : IDisposable
{
    private readonly BuildFixture _fixture = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("sampan-git-").FullName;
    private readonly Process _daemon;
    private readonly string _url;
    private readonly string _commit;

    public GitSourceTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "repo.git", "sub", "deep"));
        Write("top.txt", "top");
        Write("sub/deep/low.txt", "low");
        Git("init -q -b main");
        File.SetUnixFileMode(Path.Combine(_folder, "repo.git", "top.txt"), (UnixFileMode)0b111_101_101);
        Git("add .");
        Git("commit -q -m first");
        Git("tag -a -m annotated v1");
        Git("branch feature/x");
        _commit = Git("rev-parse HEAD");
        Write("top.txt", "newer");
        Git("commit -q -a -m second");
        var port = FreePort();
        _url = $"git://127.0.0.1:{port}/repo.git";
        _daemon = Process.Start(new ProcessStartInfo(
            "git", ["daemon", "--export-all", "--reuseaddr", $"--base-path={_folder}", "--listen=127.0.0.1", $"--port={port}", _folder])
        { RedirectStandardError = true })!;
        for (var i = 0; i < 200 && !Answers(port); i++)
        {
            Thread.Sleep(10);
        }
    }

    public void Dispose()
    {
        _daemon.Kill(entireProcessTree: true);
        _daemon.WaitForExit();
        _daemon.Dispose();
        _fixture.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_repository_gives_its_files_with_the_commits_time_and_no_git_directory()
    {
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_url} /src\n");
        Assert.Equal(["/src/", "/src/sub/", "/src/sub/deep/", "/src/sub/deep/low.txt", "/src/top.txt"], _fixture.Paths(image));
        Assert.Equal("newer", _fixture.Read(image, "/src/top.txt"));
        Assert.Equal("755 0:0 1000000000", _fixture.About(image, "/src/top.txt"));
        Assert.Equal("644 0:0 1000000000", _fixture.About(image, "/src/sub/deep/low.txt"));
        Assert.Empty(_fixture.Temporaries);
    }

    [Theory]
    [InlineData("#v1", "top")]
    [InlineData("#feature/x", "top")]
    [InlineData("#refs/tags/v1", "top")]
    [InlineData("#{commit}", "top")]
    [InlineData("#{short}", "top")]
    [InlineData("#main", "newer")]
    [InlineData("?tag=v1", "top")]
    [InlineData("?branch=main", "newer")]
    public async Task A_branch_tag_or_commit_chooses_the_files(string suffix, string content)
    {
        suffix = suffix.Replace("{commit}", _commit, StringComparison.Ordinal).Replace("{short}", _commit[..9], StringComparison.Ordinal);
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_url}{suffix} /src/\n");
        Assert.Equal(content, _fixture.Read(image, "/src/top.txt"));
        await _fixture.BuildAsync($"FROM scratch\nADD {_url}{suffix} /src/\n");
        Assert.Empty(_fixture.Reasons);
    }

    [Fact]
    public async Task A_directory_of_it_is_enough()
    {
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_url}#v1:sub/deep /\n");
        Assert.Equal(["/low.txt"], _fixture.Paths(image));
        var e = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync($"FROM scratch\nADD {_url}#v1:none /\n"));
        Assert.Contains("has no directory 'none'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_git_directory_stays_when_told()
    {
        var image = await _fixture.BuildAsync($"FROM scratch\nADD --keep-git-dir=true {_url}#v1 /src\n");
        Assert.Contains("/src/.git/HEAD", _fixture.Paths(image));
        Assert.Equal(_commit, _fixture.Read(image, "/src/.git/HEAD").Trim());
        Assert.DoesNotContain("/src/.git/FETCH_HEAD", _fixture.Paths(image));
    }

    [Fact]
    public async Task A_new_commit_is_seen_and_a_checksum_is_proven()
    {
        await _fixture.BuildAsync($"FROM scratch\nADD {_url} /src\n");
        Write("more.txt", "more");
        Git("add .");
        Git("commit -q -m third");
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_url} /src\n");
        Assert.Contains("/src/more.txt", _fixture.Paths(image));
        await _fixture.BuildAsync($"FROM scratch\nADD --checksum={_commit} {_url}#v1 /src\n");
        var e = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync($"FROM scratch\nADD --checksum={_commit} {_url}#main /src\n"));
        Assert.Contains($"expected checksum to match {_commit}", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("#nowhere", "has no branch or tag 'nowhere'")]
    [InlineData("#--upload-pack=x", "is no name of a branch")]
    [InlineData("#a..b", "is no name of a branch")]
    [InlineData("?what=x", "unexpected query 'what'")]
    [InlineData("/none.git", "git ls-remote failed")]
    public async Task What_is_wrong_is_named(string suffix, string message)
    {
        var e = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync($"FROM scratch\nADD {_url}{suffix} /src\n"));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Empty(_fixture.Temporaries);
    }

    [Fact]
    public async Task No_hook_runs_and_no_local_path_is_read()
    {
        // A submodule may point at a path of the machine that builds; git must not go there.
        Write(".gitmodules", $"[submodule \"evil\"]\n\tpath = evil\n\turl = {_folder}/repo.git\n");
        Git("add .gitmodules");
        Git($"update-index --add --cacheinfo 160000,{_commit},evil");
        Git("commit -q -m evil");
        var e = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync($"FROM scratch\nADD {_url} /src\n"));
        Assert.Contains("transport 'file' not allowed", e.Message, StringComparison.Ordinal);
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_url}?submodules=false /src\n");
        Assert.Contains("/src/.gitmodules", _fixture.Paths(image));
    }

    [Fact]
    public async Task A_build_that_is_cancelled_ends_git()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var cancel = new CancellationTokenSource(300);
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _fixture.BuildAsync(
            $"FROM scratch\nADD git://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/r.git /src\n", null, cancel.Token));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
        Assert.Empty(_fixture.Temporaries);
    }

    [Theory]
    [InlineData("https://host/a/b.git", "https://host/a/b.git", null, "")]
    [InlineData("https://host/a/b.git#v1:dir/x", "https://host/a/b.git", "v1", "dir/x")]
    [InlineData("git@host:a/b", "git@host:a/b", null, "")]
    [InlineData("ssh://git@host/a/b#main", "ssh://git@host/a/b", "main", "")]
    [InlineData("https://host/b.git?branch=x&subdir=y", "https://host/b.git", "refs/heads/x", "y")]
    public void Urls_are_understood(string text, string remote, string? reference, string directory)
    {
        var url = GitUrl.TryParse(text)!;
        Assert.Equal((remote, reference, directory), (url.Remote, url.Ref, url.SubDirectory));
    }

    [Theory]
    [InlineData("https://host/a/b")]
    [InlineData("https://host/a.git/b")]
    [InlineData("github.com/a/b")]
    [InlineData("dir/file.git")]
    [InlineData("file:///srv/x.git")]
    [InlineData("ext::sh -c x")]
    [InlineData("-x@host:path")]
    public void What_is_no_repository_is_left_alone(string text) => Assert.Null(GitUrl.TryParse(text));

    private string Git(string arguments)
    {
        var start = new ProcessStartInfo("git", arguments) { WorkingDirectory = Path.Combine(_folder, "repo.git"), RedirectStandardOutput = true };
        foreach (var who in (string[])["AUTHOR", "COMMITTER"])
        {
            start.Environment[$"GIT_{who}_NAME"] = "t";
            start.Environment[$"GIT_{who}_EMAIL"] = "t@example.org";
            start.Environment[$"GIT_{who}_DATE"] = "1000000000 +0000";
        }

        using var git = Process.Start(start)!;
        var output = git.StandardOutput.ReadToEnd().Trim();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return output;
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, "repo.git", name), text);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool Answers(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
