using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>Registries that answer garbage, lie about lengths, break off or are busy: one clear line and nothing left, or the image after all.</summary>
public sealed class StrangeRegistryTests
{
    private const string Address = "127.0.0.1:5058";

    /// <summary>The strange registry, which is a proxy too.</summary>
    internal static async Task<Running> StartAsync(Machine machine, string ip, int port)
    {
        string script = Path.Combine(Subject.Root, "tests", "Sampan.Tests.Integration", "Images", "Tools", "strange_registry.py");
        var running = new Running(machine.Inside("/usr/bin/python3", script, ip, $"{port}"));
        await running.WaitForOutputAsync("ready");
        return running;
    }

    [Fact]
    public async Task Each_gives_one_clear_line_and_leaves_nothing_and_busy_or_torn_ones_are_asked_again()
    {
        Assert.SkipWhen(Subject.IsReference, "messages are Sampan's");
        using var machine = new Machine();
        await using Running registry = await StartAsync(machine, "127.0.0.1", 5058);
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d", "--max-download-attempts 2");
        foreach ((string how, string complaint) in new[]
        {
            ("garbage", "manifest latest: the answer is not what it should be"), ("loop", "stopped after 10 redirects"), ("short", "the download broke off 2 times"),
            ("long", "bytes"), ("wrong", "filesystem layer verification failed for digest sha256:"),
        })
        {
            CommandResult pulled = (await daemon.Sampan.Run($"pull {Address}/{how}/x")).Exits(1).Complains(complaint);
            Assert.True(pulled.Error.Split('\n').Length == 1, $"more than one line: {pulled}");
            (await daemon.Sampan.Run("image ls -aq")).Succeeds().Prints("");
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(daemon.DataRoot, "layers")));
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(daemon.DataRoot, "tmp")));
        }

        await using Daemon patient = await Daemon.StartOnAsync(machine, "p");
        foreach (string how in (string[])["busy", "torn"])
        {
            (await patient.Docker.Run($"pull {Address}/{how}/x")).Succeeds();
            (await patient.Sampan.Run($"rmi {Address}/{how}/x")).Succeeds();
        }

        (await patient.Sampan.Run("image fsck")).Succeeds();
    }
}
