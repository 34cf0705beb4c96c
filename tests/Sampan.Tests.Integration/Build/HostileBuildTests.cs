using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>Builds that are too large, too deep or too false: an error that says where, nothing half made, and the next build works.</summary>
public sealed class HostileBuildTests : IAsyncLifetime
{
    private Daemon _daemon = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has none of these limits");
        _daemon = await Daemon.StartAsync("--max-archive-size 1m");
    }

    public async ValueTask DisposeAsync()
    {
        if (_daemon is not null)
            await _daemon.DisposeAsync();
    }

    private string Context(string dockerfile)
    {
        string folder = Path.Combine(_daemon.Machine.Folder, $"c{Guid.NewGuid():n}");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), dockerfile);
        return folder;
    }

    /// <summary>Both clients' builds fail and say this, and leave nothing.</summary>
    private async Task Refused(string folder, params string[] parts)
    {
        foreach (Cli cli in (Cli[])[_daemon.Sampan, _daemon.Docker])
        {
            CommandResult result = (await cli.Run($"build {folder}", timeoutSeconds: 120)).Fails();
            foreach (string part in parts)
                result.Complains(part);
            Assert.True(result.Error.Length < 10_000, "the message quotes more than anyone reads");
            await NothingIsLeft(_daemon);
        }
    }

    /// <summary>The command on the daemon's own machine, whose directories the daemon reads in place.</summary>
    private static Task<CommandResult> Here(Daemon daemon, string words) =>
        daemon.Machine.ShellAsync($"DOCKER_HOST={daemon.Host} DOCKER_CONFIG={daemon.Folder}/none {Subject.Sampan} {words}", 120);

    private static async Task NothingIsLeft(Daemon daemon)
    {
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(daemon.DataRoot, "tmp")));
        (await daemon.Sampan.Run($"build -q --no-cache - ", "FROM busybox\nRUN echo next >/next\n")).Succeeds();
    }

    private static readonly string s_deep = string.Concat(Enumerable.Repeat("/a", 400_000));

    /// <summary>By name, as a runner would print a Dockerfile of 100 MB: what it holds, and what is said of it.</summary>
    private static readonly Dictionary<string, (Func<string> Dockerfile, string Message)> s_monsters = new()
    {
        ["100 MB"] = (() => "FROM busybox\n" + string.Concat(Enumerable.Repeat("# " + new string('x', 997) + "\n", 104_858)), "'Dockerfile' has 104,858,013 bytes"),
        ["a line of 10 MB"] = (() => $"FROM busybox\nENV A={new string('x', 10 << 20)}\n", "line 2 of 'Dockerfile' is longer than"),
        ["100,000 instructions"] = (() => "FROM busybox\n" + string.Concat(Enumerable.Repeat("ENV A=b\n", 100_000)), "line 10001: more than 10,000 instructions"),
        ["a circle"] = (() => "FROM busybox AS a\nCOPY --from=b /x /\nFROM busybox AS b\nCOPY --from=a /x /\n", "b (line 3) → a (line 1) → b (line 3)"),
        ["a deep directory"] = (() => $"FROM busybox\nWORKDIR {s_deep}\n", "leads through more than 2,000 directories"),
        ["a deep destination"] = (() => $"FROM busybox\nCOPY Dockerfile {s_deep}\n", "leads through more than 2,000 directories"),
        ["a deep source"] = (() => $"FROM busybox\nCOPY {s_deep} /\n", "leads through more than 2,000 directories"),
        ["a long name"] = (() => $"FROM busybox\nCOPY {new string('x', 5000)} /\n", "file name too long"),
        ["values that multiply"] = (() => "FROM busybox\nENV A=xxxxxxxxxxxxxxxx\n" + string.Concat(Enumerable.Repeat("ENV A=$A$A$A$A$A$A$A$A\n", 12)), "the expanded text is longer than"),
        ["nested substitutions"] = (() => $"FROM busybox\nENV A={string.Concat(Enumerable.Repeat("${A:-", 50_000))}\n", "line 2"),
        ["a NUL"] = (() => "FROM busybox\nRUN echo a\0b\n", "'Dockerfile' holds a NUL byte at line 2"),
    };

    public static TheoryData<string> Monsters() => [.. s_monsters.Keys];

    [Theory]
    [MemberData(nameof(Monsters))]
    public Task A_monstrous_Dockerfile_is_refused_with_its_place(string name) => Refused(Context(s_monsters[name].Dockerfile()), s_monsters[name].Message);

    [Fact]
    public async Task A_chain_of_a_thousand_stages_is_built_also_twenty_times_at_once_and_no_longer_one()
    {
        string chain = "FROM busybox AS s0\n" + string.Concat(Enumerable.Range(1, 999).Select(i => $"FROM s{i - 1} AS s{i}\n"));
        (await _daemon.Sampan.Run($"build -q {Context(chain)}")).Succeeds();
        string uses = string.Concat(Enumerable.Range(1, 999).Select(i => $"FROM busybox AS u{i}\nCOPY --from=u{i + 1} /etc/passwd /\n"));
        (await _daemon.Sampan.Run($"build -q --target u1 {Context(uses + "FROM busybox AS u1000\n")}", timeoutSeconds: 180)).Succeeds();
        await Task.WhenAll(Enumerable.Repeat(chain, 20).Select(async text => (await _daemon.Sampan.Run($"build -q {Context(text)}")).Succeeds()));
        await Refused(Context(chain + "FROM s999\n"), "line 1001: more than 1,000 stages");
        await Refused(Context(uses + "FROM busybox AS u1000\nCOPY --from=u1 /x /\n"), "circular dependency");
    }

    [Fact]
    public async Task A_symlink_leads_nowhere_outside_of_the_context()
    {
        string folder = Context("FROM busybox\nCOPY out/hostname /\n");
        File.CreateSymbolicLink(Path.Combine(folder, "out"), "/etc");
        File.CreateSymbolicLink(Path.Combine(folder, "up"), "../../../../../../etc");
        await Refused(folder, "stat out/hostname: file does not exist");
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), "FROM busybox\nCOPY up/hostname /\n");
        await Refused(folder, "stat up/hostname: file does not exist");
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), "FROM busybox\nRUN --mount=type=bind,source=up/hostname,target=/h cat /h\n");
        await Refused(folder, "up/hostname");
    }

    [Theory]
    [InlineData("truncate -s 20M z; tar -czf a.tar.gz z; rm z", "a.tar.gz")]
    [InlineData("truncate -s 20M z; tar -S -cf a.tar z; rm z", "a.tar")]
    [InlineData("for i in 1 2 3; do truncate -s 600K z$i; done; tar -S -cf a.tar z*; rm z*", "a.tar")]
    public async Task An_archive_bomb_is_stopped_at_the_limit(string make, string name)
    {
        string folder = Context($"FROM busybox\nADD {name} /x/\n");
        (await _daemon.Machine.ShellAsync($"cd {folder} && {make}")).Succeeds();
        await Refused(folder, "ADD failed", "limit of 1048576");
    }

    [Fact]
    public async Task A_tree_too_deep_for_any_layer_costs_the_daemon_nothing()
    {
        string folder = Context("FROM busybox\nCOPY nest /\nRUN /nest 10000\n");
        File.WriteAllText(Path.Combine(folder, "nest.c"), """
            #include <stdlib.h>
            #include <sys/stat.h>
            #include <unistd.h>
            int main(int argc, char **argv) {
                for (int i = atoi(argv[1]); i > 0; i--) if (mkdir("n", 0755) || chdir("n")) return 1;
                return 0;
            }
            """);
        (await _daemon.Machine.ShellAsync($"cc -static -o {folder}/nest {folder}/nest.c")).Succeeds();
        await Refused(folder, "leads through more than 2,000 directories");
        (await _daemon.Machine.ShellAsync($"mkdir {folder}/deep && cd {folder}/deep && ../nest 3000")).Succeeds();
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), "FROM busybox\nCOPY deep /deep\n");
        (await Here(_daemon, $"build {folder}")).Fails().Complains("leads through more than 2,000 directories");
        await NothingIsLeft(_daemon);
    }

    [Fact]
    public async Task A_context_that_is_written_to_never_gives_a_mixture()
    {
        // The file is rewritten without a pause, each time with another line: a build fails and says so, or has lines of one kind.
        string folder = Context("FROM busybox\nCOPY data /data\nCMD for f in /data/*; do sort -u $f | wc -l; done\n");
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        await using var writer = new Running(_daemon.Machine.Inside("sh", "-c",
            $"cd {folder}/data; i=0; while :; do i=$((i+1)); yes $i | head -n 3000000 >one; done"));
        await Eventually.IsTrue(() => File.Exists(Path.Combine(folder, "data/one")), 10, () => "nothing is written");
        int failed = 0;
        for (int i = 0; i < 10 || (failed == 0 && i < 60); i++)
        {
            CommandResult result = await Here(_daemon, $"build -q -t moving {folder}");
            if (result.ExitCode != 0)
            {
                result.Complains("'data/one' changed while the build was reading it");
                failed++;
                continue;
            }
            Assert.Contains((await _daemon.Docker.Run("run --rm --network none moving")).Succeeds().Output.Trim(), (string[])["0", "1"]);
        }
        Assert.True(failed > 0, "no build saw the file change");
        writer.Kill();
        await NothingIsLeft(_daemon);
    }

    [Theory]
    [InlineData("COPY big /\n", true)]
    [InlineData("ADD big /x/\n", true)]
    [InlineData("ADD big.tar.gz /x/\n", true)]
    [InlineData("RUN mkdir /d; i=0; while [ $i -lt 3000 ]; do : >/d/$i; i=$((i+1)); done; dd if=/dev/zero of=/x bs=64k; dd if=/dev/zero of=/y bs=1; true\n", false)]
    [InlineData("RUN dd if=/dev/zero of=/x bs=1M count=60\n", false)]
    [InlineData("RUN --mount=type=tmpfs,target=/t dd if=/dev/zero of=/x bs=1M count=60; echo end; exit 5\n", false)]
    public async Task A_full_disk_is_named_and_the_next_build_works(string step, bool isOurs)
    {
        using var machine = new Machine();
        (await machine.ShellAsync($"mkdir -p {machine.Folder}/d/data && mount -t tmpfs -o size=40m none {machine.Folder}/d/data")).Succeeds();
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d");
        (await daemon.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
        string folder = Path.Combine(machine.Folder, "context");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), "FROM busybox\n" + step);
        (await machine.ShellAsync($"cd {folder}; head -c 60M /dev/urandom >big; tar -czf big.tar.gz big")).Succeeds();
        string used = $"du -s {daemon.DataRoot}/layers | cut -f1; ls {daemon.DataRoot}/tmp | wc -l";
        string before = (await machine.ShellAsync(used)).Succeeds().Output;
        for (int i = 0; i < 2; i++)
        {
            CommandResult result = (await Here(daemon, $"build -t full {folder}")).Fails();
            Assert.Contains("no space left on device", result.Error + result.Output, StringComparison.OrdinalIgnoreCase);
            if (isOurs)
                result.Complains(step.Split(' ')[0] + " failed").Complains("big");
        }
        CommandResult sent = (await daemon.Docker.Run($"build -t full {folder}")).Fails();
        Assert.Contains("no space left on device", sent.Error + sent.Output, StringComparison.OrdinalIgnoreCase);
        (await machine.ShellAsync(used)).Prints(before);
        (await daemon.Docker.Run("images -q full")).Prints("");
        (await daemon.Sampan.Run("build -t after -", "FROM busybox\nRUN echo next >/next\n")).Succeeds();
        (await daemon.Docker.Run("run --rm --network none after cat /next")).Succeeds().Prints("next");
    }
}
