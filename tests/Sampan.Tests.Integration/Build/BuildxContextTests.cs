using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>What is kept of buildx's contexts: only changes are sent, what is built is what the client has, and nothing half made stays.</summary>
public sealed class BuildxContextTests : IAsyncLifetime
{
    private Daemon _daemon = null!;
    private int _names;

    private string Kept => Path.Combine(_daemon.DataRoot, "contexts");

    private string Temporary => Path.Combine(_daemon.DataRoot, "tmp");

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(Subject.IsReference, "it looks at Sampan's data root");
        _daemon = await Daemon.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
    }

    [Fact]
    public async Task Only_what_changed_is_sent()
    {
        string folder = Folder("FROM scratch\nCOPY . /\n");
        File.WriteAllBytes($"{folder}/large", new byte[3_000_000]);
        File.WriteAllBytes($"{folder}/small", new byte[1000]);
        await Shell($"touch -d '1 hour ago' {folder}/*");
        (await Buildx($"--progress plain {folder}")).Succeeds().Complains("transferring context: 3.00MB");
        CommandResult again = (await Buildx($"--progress plain {folder}")).Succeeds().Complains("CACHED");
        Assert.DoesNotContain("MB", again.Error);
        File.WriteAllBytes($"{folder}/small", new byte[2000]);
        CommandResult changed = (await Buildx($"--progress plain {folder}")).Succeeds().Complains("transferring context: 2.");
        Assert.DoesNotContain("MB", changed.Error);

        // It is part of the cache, and goes with it.
        (await _daemon.Sampan.Run("system df -v")).Succeeds().Shows("source.local");
        (await _daemon.Sampan.Run("builder prune -af")).Succeeds();
        Assert.Empty(Directory.EnumerateFileSystemEntries(Kept));
        (await Buildx($"--progress plain {folder}")).Succeeds().Complains("transferring context: 3.00MB");
    }

    [Fact]
    public async Task Whatever_happens_to_files_the_build_has_what_the_client_has()
    {
        string folder = Folder("FROM busybox\nCOPY . /d\n");
        await Shell($"cd {folder} && mkdir -p d/deep e g && echo 1 >f && echo 2 >d/deep/f && echo 3 >e/f && ln -s f s && ln f h && echo 4 >g/x && echo secret >ignored "
            + "&& find . -exec touch -h -d '2020-01-01' {} +");
        await Same(folder);
        string[] changes =
        [
            "rm e/f", // a directory becomes empty
            "rm -r d && ln -s e d", // a directory with others in it becomes a symlink
            "rm s && mkdir s && echo 5 >s/f", // a symlink becomes a directory
            "echo 6 >h", // both names of a file that has two
            "rm h && echo 7 >h", // one of them is a file of its own
            "rm g/x && mkdir g/x && echo 8 >g/x/y", // a file becomes a directory
            "chmod 4711 f && chmod 700 g", // modes only
            "setfattr -n user.word -v x f", // attributes only
            "printf 9 | dd of=f conv=notrunc status=none && touch -d 2020-01-01 f && printf 8 | dd of=f conv=notrunc status=none", // in one tick of the clock
            "echo ignored >.dockerignore", // something is left out
            "rm .dockerignore && mv g i",
        ];
        foreach (string change in changes)
        {
            await Shell($"cd {folder} && {change}");
            await Same(folder, change);
        }
    }

    [Fact]
    public async Task A_killed_daemon_leaves_no_half_made_context()
    {
        string folder = await SlowFolder();
        Task<CommandResult> build = Buildx($"{folder}");
        await HalfMade(build);
        await _daemon.KillAsync();
        (await build).Fails();
        await _daemon.LaunchAsync();
        await NothingStays();
        File.WriteAllText($"{folder}/large", "short\n");
        await Same(folder);
    }

    [Fact]
    public async Task A_killed_client_leaves_no_half_made_context()
    {
        string folder = await SlowFolder();
        Task<CommandResult> build = Buildx($"{folder}");
        await HalfMade(build);
        await Shell($"kill -9 $(pgrep -f '[d]ocker-buildx.*{folder}')");
        (await build).Fails();
        await NothingStays();
        File.WriteAllText($"{folder}/large", "short\n");
        await Same(folder);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_step_ends_with_the_daemon_and_with_the_client(bool isDaemon)
    {
        string folder = Folder("FROM busybox\nCOPY file /\nRUN echo $$ && sleep 4711\n");
        File.WriteAllText($"{folder}/file", "1\n");
        Task<CommandResult> build = Buildx($"{folder}");
        await Eventually.IsTrue(async () => (await Sleeping()) == "1", 60, () => $"the step does not begin: {_daemon.Log}");
        if (isDaemon)
        {
            await _daemon.KillAsync();
            await _daemon.LaunchAsync();
        }
        else
            await Shell($"kill -9 $(pgrep -f '[d]ocker-buildx.*{folder}')");
        (await build).Fails();
        await Eventually.IsTrue(async () => (await Sleeping()) == "0", 30, () => "the step goes on");
        await Eventually.IsTrue(() => Task.FromResult(!Directory.Exists(Temporary) || !Directory.EnumerateFileSystemEntries(Temporary).Any()), 30,
            () => $"{string.Join(' ', Directory.EnumerateFileSystemEntries(Temporary))} stays");
        Assert.Equal("busybox:latest", (await _daemon.Sampan.Run("images -a --format {{.Repository}}:{{.Tag}}")).Succeeds().Output);
        File.WriteAllText($"{folder}/Dockerfile", "FROM busybox\nCOPY . /d\n");
        await Same(folder);

        async Task<string> Sleeping() => (await _daemon.Machine.ShellAsync("ps -ef | grep -c '[s]leep 4711'", 10)).Output;
    }

    [Fact]
    public async Task Builds_side_by_side_of_one_context_get_what_each_wants()
    {
        string folder = Folder("FROM busybox\nARG N\nCOPY . /d\nRUN echo $N >/n && sleep 1\n");
        File.WriteAllText($"{folder}/file", "1\n");
        CommandResult[] built = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Buildx($"--build-arg N={i} -t side:{i} {folder}")));
        Assert.All(built, one => one.Succeeds());
        for (int i = 0; i < 4; i++)
            (await _daemon.Sampan.Run($"run --rm side:{i} cat /n /d/file")).Succeeds().Prints($"{i}\n1");
    }

    private string Folder(string dockerfile)
    {
        string folder = Path.Combine(_daemon.Folder, $"context-{Interlocked.Increment(ref _names)}");
        Directory.CreateDirectory(folder);
        File.WriteAllText($"{folder}/Dockerfile", dockerfile);
        return folder;
    }

    /// <summary>A context whose transfer takes a while: the large file comes after the small one.</summary>
    private async Task<string> SlowFolder()
    {
        string folder = Folder("FROM busybox\nCOPY . /d\n");
        File.WriteAllText($"{folder}/a", "first\n");
        await Shell($"truncate -s 2G {folder}/large && touch -d '1 hour ago' {folder}/*");
        return folder;
    }

    private async Task HalfMade(Task<CommandResult> build)
    {
        await Eventually.IsTrue(() => Task.FromResult(Directory.Exists(Kept) && Directory.EnumerateFiles(Kept, "a", SearchOption.AllDirectories).Any()), 60,
            () => $"the transfer does not begin: {_daemon.Log}");
        Assert.False(build.IsCompleted);
    }

    private Task NothingStays() => Eventually.IsTrue(() => Task.FromResult(!Left().Any()), 30, () => $"{string.Join(' ', Left())} stays");

    private IEnumerable<string> Left() => new[] { Kept, Temporary }.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries);

    private async Task Shell(string command) => (await _daemon.Machine.ShellAsync(command, 60)).Succeeds();

    /// <summary>The image of buildx is that of the command line which reads the client's directory itself.</summary>
    private async Task Same(string folder, string why = "")
    {
        string sent = (await Buildx($"-q {folder}")).Succeeds().Output;
        CommandResult read = await _daemon.Machine.ShellAsync($"DOCKER_HOST={_daemon.Host} {Subject.Sampan} build -q --no-cache --no-file-memo {folder}", 60);
        Assert.Equal((why, read.Succeeds().Output), (why, sent));
        Assert.Equal((why, sent), (why, (await Buildx($"-q --no-cache {folder}")).Succeeds().Output));
    }

    private Task<CommandResult> Buildx(string words) => _daemon.Machine.ShellAsync(
        $"export DOCKER_HOST={_daemon.Host} DOCKER_CONFIG={Path.Combine(Subject.Root, "out", "buildx")} BUILDX_CONFIG={_daemon.Folder}/buildx TERM=dumb; "
        + $"{Subject.Docker} buildx build {words}", 120);
}
