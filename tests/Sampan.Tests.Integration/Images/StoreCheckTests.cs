using System.Text.Json;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>What the store says about itself is true: <c>image fsck</c>, <c>system df</c>, <c>system prune</c>. Sampan's own.</summary>
public sealed class StoreCheckTests
{
    [Fact]
    public async Task A_flipped_byte_is_found_and_named_and_repair_makes_room_for_a_good_copy()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no such command");
        await using Daemon daemon = await Daemon.StartAsync();
        byte[] tar = new TarMaker().File("etc/secret", "one two three").File("other", "x").Finish();
        (await daemon.Sampan.Run(["import", "-", "good"], tar)).Succeeds();
        (await daemon.Sampan.Run("image fsck")).Exits(0).Shows("all is well");
        await Flip(Directory.GetFiles(Path.Combine(daemon.DataRoot, "layers"), "secret", SearchOption.AllDirectories).Single(), 5);

        (await daemon.Sampan.Run("image fsck")).Exits(1).Shows("layer sha256:").Shows("/etc/secret").Shows("good:latest").Shows("1 fault");
        JsonElement report = JsonDocument.Parse((await daemon.Sampan.Run("image fsck --format json")).Exits(1).Output).RootElement;
        Assert.Equal("good:latest", report.GetProperty("Faults")[0].GetProperty("Images")[0].GetString());
        (await daemon.Sampan.Run("image fsck --repair")).Exits(0).Shows("removed");
        (await daemon.Sampan.Run("image fsck")).Exits(0).Shows("all is well");
        (await daemon.Sampan.Run("image inspect good")).Fails();
        (await daemon.Sampan.Run(["import", "-", "good"], tar)).Succeeds();
        (await daemon.Sampan.Run("image fsck")).Exits(0);
        (await daemon.Sampan.Run("run --rm busybox true")).Succeeds();
    }

    [Fact]
    public async Task A_damaged_configuration_and_what_nobody_has_are_named_and_an_image_in_use_stays()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no such command");
        await using Daemon daemon = await Daemon.StartAsync();
        string id = (await daemon.Sampan.Run(["import", "-", "bad"], new TarMaker().File("f", "x").Finish())).Succeeds().Output;
        (await daemon.Sampan.Run("create --name user busybox true")).Succeeds();
        await daemon.StopAsync();
        await Flip(Path.Combine(daemon.DataRoot, "content", "blobs", "sha256", id["sha256:".Length..]), 20);
        await Flip(Directory.GetFiles(Path.Combine(daemon.DataRoot, "layers"), "busybox", SearchOption.AllDirectories)[0], 1000);
        await daemon.LaunchAsync();
        string loose = new('a', 64);
        File.WriteAllText(Path.Combine(daemon.DataRoot, "content", "blobs", "sha256", loose), "nobody's");
        Directory.CreateDirectory(Path.Combine(daemon.DataRoot, "layers", "nobodys2"));

        (await daemon.Sampan.Run("image fsck")).Exits(1).Shows($"image {id}").Shows("(needed by bad:latest)").Shows($"blob sha256:{loose}").Shows("layers/nobodys2")
            .Shows("busybox:latest");
        (await daemon.Sampan.Run("image fsck --repair")).Exits(0).Shows("kept, as container");
        (await daemon.Sampan.Run("image fsck")).Exits(1).Shows("1 fault");
        (await daemon.Sampan.Run("images --format {{.Repository}}")).Succeeds().Prints("busybox");
    }

    [Fact]
    public async Task Disk_usage_is_what_du_says_and_prune_brings_it_back_to_nothing()
    {
        Assert.SkipWhen(Subject.IsReference, "the layout on the disk is Sampan's");
        await using Daemon daemon = await Daemon.StartAsync();
        (await daemon.Docker.Run("rmi busybox")).Succeeds();
        string tar = Path.Combine(daemon.Folder, "big.tar");
        (await daemon.Machine.ShellAsync($"cd {daemon.Folder} && mkdir big && tar -xf {Subject.Busybox} -C big && "
            + "head -c 30000000 /dev/urandom > big/a; head -c 20000000 /dev/urandom > big/b; "
            + "mkdir big/small && head -c 1000000 /dev/urandom | split -b 100 -a 5 - big/small/f; tar -cf big.tar -C big .")).Succeeds();
        (await daemon.Docker.Run($"import {tar} big")).Succeeds();
        (await daemon.Docker.Run("tag big big:two")).Succeeds();
        (await daemon.Docker.Run("run --name writer -v vol:/v big /bin/sh -c 'cat /a > /copy; cat /b > /v/b'")).Succeeds();
        (await daemon.Docker.Run("commit writer committed")).Succeeds();

        JsonElement usage = JsonDocument.Parse("[" + string.Join(',', (await daemon.Sampan.Run("system df --format json")).Succeeds().Lines) + "]").RootElement;
        long total = await Du(daemon, "layers") + await Du(daemon, "volumes") + await Du(daemon, "containers");
        using var api = new RawApi(daemon.Socket);
        JsonElement raw = JsonDocument.Parse((await api.GetAsync("/v1.44/system/df")).Text).RootElement;
        long told = raw.GetProperty("LayersSize").GetInt64()
            + raw.GetProperty("Containers").EnumerateArray().Sum(c => c.TryGetProperty("SizeRw", out JsonElement size) ? size.GetInt64() : 0)
            + raw.GetProperty("Volumes").EnumerateArray().Sum(v => v.GetProperty("UsageData").GetProperty("Size").GetInt64());
        Assert.True(usage.GetArrayLength() > 0);
        Assert.InRange(told, total * 0.99, total * 1.01);

        // An image has one row, and what others have of it is told.
        string[] rows = [.. (await daemon.Sampan.Run("system df -v")).Succeeds().Lines.Where(line => line.Contains("MB", StringComparison.Ordinal))];
        Assert.Matches(@"^committed +latest .* 8\d(\.\d)?MB +5\d(\.\d+)?MB +30(\.\d+)?MB +0$", rows[0].TrimEnd());
        Assert.Matches(@"^big +(latest|two) .* 5\d(\.\d)?MB +5\d(\.\d+)?MB +0B +1$", rows[1].TrimEnd());

        (await daemon.Docker.Run("rm writer")).Succeeds();
        (await daemon.Docker.Run("volume rm vol")).Succeeds();
        (await daemon.Docker.Run("system prune -a -f --volumes")).Succeeds();
        foreach (string folder in (string[])["layers", "content/blobs/sha256", "volumes", "containers", "tmp"])
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(daemon.DataRoot, folder)));
    }

    private static async Task<long> Du(Daemon daemon, string folder) =>
        long.Parse((await daemon.Machine.ShellAsync($"du -s -B1 {daemon.DataRoot}/{folder}")).Succeeds().Output.Split('\t')[0]);

    private static async Task Flip(string path, long offset)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 1));
    }
}
