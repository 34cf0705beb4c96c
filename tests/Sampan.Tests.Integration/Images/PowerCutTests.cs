using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>
/// The power goes at once after an acknowledgement: the data root is on an ext4 of its own that is shut down without writing its journal, so that
/// whatever was not synced is gone. Nothing acknowledged may be.
/// </summary>
public sealed class PowerCutTests
{
    [Fact]
    public async Task What_was_acknowledged_before_the_power_went_is_there_and_whole()
    {
        Assert.SkipWhen(Subject.IsReference, "the checks look into Sampan's store");
        using var machine = new Machine();
        string root = Path.Combine(machine.Folder, "d"), disk = Path.Combine(machine.Folder, "disk");
        (await machine.ShellAsync($"truncate -s 300M {disk} && mkfs.ext4 -q -F {disk} && mkdir -p {root}/data && mount -o loop {disk} {root}/data")).Succeeds();
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d");
        string dockerfile = "FROM busybox\nRUN head -c 3000000 /dev/urandom > /r\nRUN echo b > /b && rm /bin/vi\n";
        (string What, Func<Task<CommandResult>> Run, string? Image)[] steps =
        [
            ("import", () => daemon.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"]), "busybox:latest"),
            ("build", () => daemon.Docker.Run(["build", "-q", "-t", "built", "-"], System.Text.Encoding.UTF8.GetBytes(dockerfile)), "built:latest"),
            ("tag", () => daemon.Docker.Run("tag built other:1"), "other:1"),
            ("run", () => daemon.Docker.Run("run --name maker built sh -c 'echo x > /x; sync'"), null),
            ("commit", () => daemon.Docker.Run("commit maker committed"), "committed:latest"),
            ("save", () => daemon.Docker.Run($"save -o {machine.Folder}/saved.tar built"), null),
            ("rmi", () => daemon.Docker.Run("rmi other:1"), null),
            ("load", () => daemon.Docker.Run($"load -i {machine.Folder}/saved.tar"), "built:latest"),
        ];
        var acknowledged = new Dictionary<string, string>();
        foreach ((string what, Func<Task<CommandResult>> run, string? image) in steps)
        {
            (await run()).Succeeds();
            if (image is not null)
                acknowledged[image] = (await daemon.Docker.Run($"image inspect --format {{{{.Id}}}} {image}")).Succeeds().Output;
            if (what == "rmi")
                acknowledged.Remove("other:1");
            Native.CutPower($"/proc/{machine.FirstPid}/root{root}/data");
            await daemon.KillAsync();
            // What the killed daemon had open is closed a moment later.
            await Eventually.IsTrue(async () => (await machine.ShellAsync($"umount {root}/data")).ExitCode == 0, 10, () => "the disk is free");
            (await machine.ShellAsync($"mount -o loop {disk} {root}/data")).Succeeds();
            await daemon.LaunchAsync();
            foreach ((string name, string id) in acknowledged)
                Assert.Equal((what, id), (what, (await daemon.Docker.Run($"image inspect --format {{{{.Id}}}} {name}")).Succeeds().Output));
            CommandResult check = await daemon.Sampan.Run("image fsck");
            await Eventually.IsTrue(async () => (check = await daemon.Sampan.Run("image fsck")).ExitCode == 0, 10, () => $"after {what}: {check}");
            if (what == "rmi")
                (await daemon.Docker.Run("image inspect other:1")).Fails();
        }
        (await daemon.Docker.Run("run --rm committed cat /b")).Succeeds().Prints("b");
    }
}
