using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>Volumes and mounts.</summary>
public abstract class StorageTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private string HostFolder()
    {
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        return folder;
    }

    [Fact]
    public async Task A_folder_of_the_host_is_shared_both_ways()
    {
        string folder = HostFolder();
        File.WriteAllText(Path.Combine(folder, "in"), "from host");
        (await Run($"run --rm -v {folder}:/data busybox sh -c 'cat /data/in; echo from container >/data/out'")).Succeeds().Prints("from host");
        Assert.Equal("from container\n", File.ReadAllText(Path.Combine(folder, "out")));
    }

    [Theory]
    [InlineData("-v {0}:/data:ro")]
    [InlineData("--mount type=bind,source={0},target=/data,readonly")]
    [InlineData("--mount type=bind,src={0},dst=/data,ro=true")]
    public async Task A_read_only_mount_is_not_written(string option)
    {
        string folder = HostFolder();
        (await Run($"run --rm {string.Format(option, folder)} busybox touch /data/x")).Exits(1).Complains("Read-only");
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public async Task A_read_only_bind_holds_for_the_mounts_below_it_unless_asked_otherwise()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd before 25 leaves mounts below a read-only bind writable");
        string folder = HostFolder();
        Directory.CreateDirectory(Path.Combine(folder, "below"));
        (await Daemon.Machine.ShellAsync($"mount -t tmpfs none {folder}/below")).Succeeds();
        try
        {
            (await Run($"run --rm -v {folder}:/data:ro busybox touch /data/below/x")).Exits(1).Complains("Read-only");
            (await Run($"run --rm --mount type=bind,src={folder},dst=/data,ro,bind-recursive=writable busybox touch /data/below/x")).Succeeds();
        }
        finally
        {
            (await Daemon.Machine.ShellAsync($"umount {folder}/below")).Succeeds();
        }
    }

    [Fact]
    public async Task A_missing_folder_is_made_for_v_and_refused_for_mount()
    {
        string folder = Path.Combine(HostFolder(), "missing");
        (await Run($"run --rm --mount type=bind,src={folder},dst=/data busybox true")).Exits(125).Complains(folder);
        Assert.False(Directory.Exists(folder));
        (await Run($"run --rm -v {folder}:/data busybox true")).Succeeds();
        Assert.True(Directory.Exists(folder));
    }

    [Fact]
    public async Task A_named_volume_outlives_its_containers_and_starts_with_the_image_s_files()
    {
        string volume = NewName();
        (await Run($"run --rm -v {volume}:/etc busybox sh -c 'echo kept >/etc/kept'")).Succeeds();
        (await Run($"run --rm -v {volume}:/v busybox sh -c 'cat /v/kept; grep -c root /v/passwd'")).Succeeds().Prints("kept\n1");
    }

    [Fact]
    public async Task Mount_takes_volumes_and_memory()
    {
        string volume = NewName();
        (await Run($"run --rm --mount type=volume,src={volume},dst=/v busybox touch /v/x")).Succeeds();
        (await Run($"run --rm --mount src={volume},dst=/v busybox ls /v")).Succeeds().Prints("x");
        (await Run("run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m busybox sh -c 'grep \" /t \" /proc/mounts | cut -d \" \" -f 3'"))
            .Succeeds().Prints("tmpfs");
    }

    [Fact]
    public async Task Inspect_tells_the_mounts()
    {
        string folder = HostFolder();
        await using Container container = await Idle($"-v {folder}:/data:ro");
        Assert.Equal($"bind {folder} /data false",
            await Inspect("{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{end}}", container.Name));
    }

    [Fact]
    public async Task A_link_in_the_image_does_not_lead_a_mount_outside()
    {
        string folder = HostFolder();
        File.WriteAllText(Path.Combine(folder, "marker"), "");
        string image = NewName();
        await using Container maker = Cleaned(NewName());
        (await Run($"run --name {maker} busybox ln -s /../../../../../../tmp/sampan-escape /link")).Succeeds();
        (await Run($"commit {maker} {image}")).Succeeds();
        await Run($"run --rm -v {folder}:/link/below {image} ls /link/below");
        (await Daemon.Machine.ShellAsync("ls /tmp/sampan-escape")).Fails();
        (await Run($"rmi {image}")).Succeeds();
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class StorageWithDockerTests(SharedDaemon shared) : StorageTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class StorageWithSampanTests(SharedDaemon shared) : StorageTests(shared, CommandLine.Sampan);
