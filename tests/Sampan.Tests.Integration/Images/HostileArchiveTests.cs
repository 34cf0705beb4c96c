using System.IO.Compression;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>Archives made to harm: nothing outside is touched, nothing half-made stays, and the daemon is as well as before.</summary>
public sealed class HostileArchiveTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Docker)
{
    private static readonly string s_outside = $"/tmp/sampan-hostile-{Environment.ProcessId}";

    /// <summary>Each archive by what it tries.</summary>
    public static TheoryData<string> Attempts => [.. s_archives.Keys];

    private static readonly Dictionary<string, Func<byte[]>> s_archives = new()
    {
        ["an absolute path"] = () => new TarMaker().File(s_outside, "x").Finish(),
        ["a path upwards"] = () => new TarMaker().File("../../../../../../../.." + s_outside, "x").Finish(),
        ["a path upwards in the middle"] = () => new TarMaker().Folder("a").File("a/../../../../../../../.." + s_outside, "x").Finish(),
        ["a link outside, then a file through it"] = () => new TarMaker().Symlink("a", "/tmp").File("a" + s_outside[4..], "x").Finish(),
        ["a relative link outside, then a file through it"] = () =>
            new TarMaker().Symlink("a", "../../../../../../../../../tmp").File("a" + s_outside[4..], "x").Finish(),
        ["a folder replaced by a link, then a file through it"] = () =>
            new TarMaker().Folder("a").Symlink("a", "/tmp").File("a" + s_outside[4..], "x").Finish(),
        ["a hard link to outside"] = () => new TarMaker().HardLink("a", "../../../../../../../../../../etc/passwd").File("a", "x").Finish(),
        ["a hard link through a link to outside"] = () => new TarMaker().Symlink("e", "/etc").HardLink("a", "e/passwd").File("a", "x").Finish(),
        ["a whiteout upwards"] = () => new TarMaker().File("../../../../../../../../tmp/.wh.sampan-kept").Finish(),
        ["a whiteout of the parent"] = () => new TarMaker().Folder("a").File("a/.wh...").File(".wh..").Finish(),
        ["a disk"] = () => new TarMaker().Device("sda", 8, 0).Finish(),
        ["a name with a line's end"] = () => new TarMaker().File("a\nb\u001b[31m", "x").Finish(),
        ["a name of dots"] = () => new TarMaker().File("..", "x").File(".", "x").Finish(),
        ["ten terabytes claimed"] = () => new TarMaker().Claim("big", 10L << 40).Finish(),
        ["a negative size"] = () => new TarMaker().Claim("big", -1).Finish(),
        ["a cut file"] = () => new TarMaker().File("a", new string('x', 3000)).Cut(1000),
        ["a cut header"] = () => new TarMaker().File("a", "x").File("b").Cut(100),
        ["a file under a file"] = () => new TarMaker().File("a", "x").File("a/b", "y").Finish(),
        ["garbage"] = () => [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 31))],
        ["a link to itself"] = () => new TarMaker().Symlink("a", "a").File("a/b", "x").Finish(),
    };

    /// <summary>What no engine may accept; the other archives may also be taken in, with all their entries inside the image.</summary>
    private static readonly HashSet<string> s_refused =
        ["ten terabytes claimed", "a cut file", "garbage"];

    [Theory]
    [MemberData(nameof(Attempts))]
    public async Task It_does_no_harm(string attempt)
    {
        string passwd = File.ReadAllText("/etc/passwd");
        string image = NewName();
        CommandResult imported = await Cli.Run(["import", "-", image], s_archives[attempt](), timeoutSeconds: 30);

        Assert.False(File.Exists(s_outside), "a file outside was written");
        Assert.Equal(passwd, File.ReadAllText("/etc/passwd"));
        if (s_refused.Contains(attempt))
            imported.Exits(1);
        if (imported.ExitCode != 0)
        {
            Assert.True(imported.Error.Trim().Split('\n').Length == 1, $"more than a line:\n{imported}");
            (await Run($"images -q {image}")).Succeeds().Prints("");
        }
        else
        {
            (await Run($"rmi {image}")).Succeeds();
        }
        (await Run("run --rm busybox echo well")).Succeeds().Prints("well");
    }

    [Fact]
    public async Task Nothing_half_made_stays_in_the_store()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd's store is laid out otherwise");
        await using Daemon daemon = await Kit.Daemon.StartOnAsync(Daemon.Machine, NewName());
        var many = new TarMaker();
        for (int i = 0; i < 100; i++)
            many.File($"f{i}", "content");
        (await daemon.Docker.Run(["import", "-", "many"], many.Claim("big", 10L << 40).Finish())).Exits(1);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(daemon.DataRoot, "layers")));
        Assert.Empty(Directory.GetFiles(Path.Combine(daemon.DataRoot, "tmp"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_layer_beyond_the_limits_that_are_set_is_refused()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no such limits");
        await using Daemon daemon = await Kit.Daemon.StartOnAsync(Daemon.Machine, NewName(), "--max-layer-size 1m --max-layer-entries 100");
        var many = new TarMaker();
        for (int i = 0; i < 101; i++)
            many.File($"f{i}");
        (await daemon.Docker.Run(["import", "-", "many"], many.Finish())).Exits(1).Complains("100");
        string bomb = Path.Combine(daemon.Folder, "bomb.gz");
        await using (var gzip = new GZipStream(File.Create(bomb), CompressionLevel.Optimal))
            await gzip.WriteAsync(new TarMaker().File("zeros", new byte[1 << 20]).Finish());
        (await daemon.Docker.Run($"import {bomb} bomb")).Exits(1).Complains("1048576");
        (await daemon.Sampan.Run(["import", "-", "small"], new TarMaker().File("small", new byte[1 << 19]).Finish())).Succeeds();
        (await daemon.Sampan.Run("images --format {{.Repository}}")).Succeeds().Prints("small");
    }

    [Fact]
    public async Task A_million_entries_are_taken_in_or_refused_in_bounded_time_and_memory()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd takes minutes");
        string image = NewName();
        string file = Path.Combine(Daemon.Folder, image);
        await using (var gzip = new GZipStream(File.Create(file), CompressionLevel.Fastest))
        {
            for (int part = 0; part < 1000; part++)
            {
                var tar = new TarMaker();
                for (int i = 0; i < 1000; i++)
                    tar.File($"{part}-{i}");
                await gzip.WriteAsync(part < 999 ? tar.Cut(0) : tar.Finish());
            }
        }
        CommandResult imported = await Run($"import {file} {image}", timeoutSeconds: 400);
        if (imported.ExitCode == 0)
            (await Run($"rmi {image}", timeoutSeconds: 200)).Succeeds();
        long resident = File.ReadLines($"/proc/{Daemon.Pid}/status").First(line => line.StartsWith("VmHWM", StringComparison.Ordinal))
            is var line ? long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]) : 0;
        Assert.True(resident < 1 << 20, $"the daemon took {resident} KiB");
        (await Run("run --rm busybox echo well")).Succeeds().Prints("well");
    }
}
