using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary><c>cp</c> into and out of containers, by the rules of its manual page.</summary>
public abstract class CopyTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private async Task<string> NewFolder(string script)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Daemon.Folder, NewName("copy"))).FullName;
        (await Daemon.Machine.ShellAsync($"cd {folder} && {script}")).Succeeds();
        return folder;
    }

    private async Task<string> There(Container container, string script) =>
        (await Cli.Run(["exec", container.Name, "sh", "-c", script])).Succeeds().Output;

    [Fact]
    public async Task A_folder_goes_into_one_that_is_there_and_becomes_one_that_is_not()
    {
        await using Container container = await Idle();
        string folder = await NewFolder("mkdir -p d/sub && echo a >d/a && echo b >d/sub/b");
        (await Run($"cp {folder}/d {container}:/new")).Succeeds();
        Assert.Equal("/new\n/new/a\n/new/sub\n/new/sub/b", await There(container, "find /new | sort"));
        (await Run($"cp {folder}/d {container}:/new")).Succeeds();
        Assert.Equal("b", await There(container, "cat /new/d/sub/b"));
        (await Run($"cp {folder}/d/. {container}:/other")).Succeeds();
        (await Run($"cp {folder}/d/. {container}:/other")).Succeeds();
        Assert.Equal("/other\n/other/a\n/other/sub\n/other/sub/b", await There(container, "find /other | sort"));

        (await Run($"cp {container}:/new {folder}/out")).Succeeds();
        (await Run($"cp {container}:/new/. {folder}/flat")).Succeeds();
        (await Run($"cp {container}:/new/d {folder}/flat/")).Succeeds();
        (await Daemon.Machine.ShellAsync($"cd {folder} && cat out/d/sub/b flat/sub/b flat/d/a")).Succeeds().Prints("b\nb\na");
    }

    [Fact]
    public async Task A_file_keeps_its_name_in_a_folder_and_takes_another_elsewhere()
    {
        await using Container container = await Idle();
        string folder = await NewFolder("echo a >a && echo b >b && mkdir d");
        (await Run($"cp {folder}/a {container}:/tmp")).Succeeds();
        (await Run($"cp {folder}/b {container}:/tmp/c")).Succeeds();
        (await Run($"cp {folder}/a {container}:/tmp/c")).Succeeds();
        Assert.Equal("a\na", await There(container, "cat /tmp/a /tmp/c"));
        (await Run($"cp {folder}/a {container}:/none/")).Exits(1).Complains("no such directory");
        (await Run($"cp {folder}/a {container}:/none/x")).Exits(1).Complains("/none");
        (await Run($"cp {folder}/d {container}:/tmp/a")).Exits(1).Complains("cannot copy directory");
        (await Run($"cp {folder}/a/ {container}:/tmp")).Exits(1).Complains("not a directory");
        (await Run($"cp {folder}/missing {container}:/tmp")).Exits(1).Complains("no such file");
        (await Run($"cp {container}:/missing {folder}")).Exits(1).Complains("/missing");
        (await Run($"cp {folder}/a {folder}/b")).Exits(1).Complains("must specify at least one container source");
        (await Run($"cp {container}:/a {container}:/b")).Exits(1).Complains("copying between containers is not supported");
    }

    [Fact]
    public async Task Links_are_copied_as_links_and_followed_when_asked_for()
    {
        await using Container container = await Idle();
        string folder = await NewFolder("echo a >a && ln -s a l && mkdir d && ln -s d dl && echo x >d/x");
        (await Run($"cp {folder}/l {container}:/tmp/l")).Succeeds();
        (await Run($"cp -L {folder}/l {container}:/tmp/f")).Succeeds();
        Assert.Equal("a\na", await There(container, "readlink /tmp/l; cat /tmp/f; readlink /tmp/f || true"));
        await There(container, "ln -s /tmp /way && ln -s /tmp/f /tmp/again && mkdir /tmp/real && ln -s real /tmp/lane");
        (await Run($"cp {folder}/a {container}:/way/through")).Succeeds();
        (await Run($"cp {folder}/d/. {container}:/tmp/lane")).Succeeds();
        Assert.Equal("a\nx", await There(container, "cat /tmp/through /tmp/real/x"));
        (await Run($"cp {container}:/tmp/again {folder}/again")).Succeeds();
        (await Run($"cp -L {container}:/tmp/again {folder}/followed")).Succeeds();
        Assert.Equal("/tmp/f", File.ResolveLinkTarget($"{folder}/again", returnFinalTarget: false)!.FullName);
        Assert.Null(File.ResolveLinkTarget($"{folder}/followed", returnFinalTarget: false));

        // A link within the container never leads to the machine's files.
        await There(container, "rm -f /tmp/out && ln -s /../../../../../../etc /tmp/out");
        (await Run($"cp {folder}/a {container}:/tmp/out/of-the-container")).Succeeds();
        Assert.False(File.Exists("/etc/of-the-container"));
        Assert.Equal("a", await There(container, "cat /etc/of-the-container"));
    }

    [Fact]
    public async Task Modes_and_owners_are_kept()
    {
        await using Container container = await Idle();
        string folder = await NewFolder("echo a >a && chown 1234:5678 a && chmod 640 a");
        (await Run($"cp {folder}/a {container}:/tmp/plain")).Succeeds();
        (await Run($"cp -a {folder}/a {container}:/tmp/same")).Succeeds();
        Assert.Equal("640 1234:5678\n640 1234:5678", await There(container, "stat -c '%a %u:%g' /tmp/plain /tmp/same"));
        (await Run($"cp -a {container}:/tmp/same {folder}/back")).Succeeds();
        (await Daemon.Machine.ShellAsync($"stat -c %a {folder}/back")).Succeeds().Prints("640");
    }

    [Fact]
    public async Task A_whole_container_goes_into_a_folder_and_nowhere_else()
    {
        await using Container container = Cleaned(NewName());
        (await Run($"create --name {container} busybox true")).Succeeds();
        string folder = await NewFolder("mkdir there");
        (await Run($"cp {container}:/ {folder}/there")).Succeeds();
        (await Run($"cp {container}:/ {folder}/made")).Succeeds();
        (await Daemon.Machine.ShellAsync($"cd {folder} && cmp there/etc/passwd made/etc/passwd && readlink there/bin/sh made/etc/mtab"))
            .Succeeds().Prints("busybox\n/proc/mounts");
        (await Run($"cp {container}: {folder}/there")).Exits(1).Complains("empty");
    }

    /// <summary>How volumes are filled by hand: by a container that never runs.</summary>
    [Fact]
    public async Task Volumes_and_binds_of_a_container_that_does_not_run_are_reached()
    {
        string volume = NewName(), closed = NewName();
        string folder = await NewFolder("echo a >a && mkdir bound && echo b >bound/b");
        await using (Container container = Cleaned(NewName()))
        {
            (await Run($"create --name {container} -v {volume}:/data/deep -v {closed}:/closed:ro -v {volume}-2:/var/spool -v {folder}/bound:/data/bound "
                + "--read-only busybox ls /data/deep /var/spool")).Succeeds();
            (await Run($"cp {folder}/a {container}:/data/deep/a")).Succeeds();
            (await Run($"cp {folder}/a {container}:/data/bound/")).Succeeds();
            Assert.Equal("a\n", File.ReadAllText($"{folder}/bound/a"));
            (await Run($"cp {container}:/data/bound/b {folder}/b")).Succeeds();
            (await Run($"cp {container}:/data {folder}/all")).Succeeds();
            (await Daemon.Machine.ShellAsync($"cd {folder} && cat b all/deep/a all/bound/b")).Succeeds().Prints("b\na\nb");
            (await Run($"cp {folder}/a {container}:/closed/a")).Exits(1).Complains("mounted volume is marked read-only");
            (await Run($"cp {folder}/a {container}:/etc/a")).Exits(1).Complains("container rootfs is marked read-only");
            (await Run($"cp {folder}/a {container}:/var/spool/a")).Succeeds();

            // What the image has there is in the volume all the same.
            string[] listed = (await Run($"start -a {container}")).Succeeds().Lines;
            Assert.Contains("mail", listed);
            Assert.Equal(2, listed.Count(line => line == "a"));
        }

        (await Run($"run --rm -v {volume}:/v busybox cat /v/a")).Succeeds().Prints("a");
        (await Run($"volume rm {volume} {volume}-2 {closed}")).Succeeds();
    }

    [Fact]
    public async Task With_a_the_files_are_those_of_the_containers_user()
    {
        await using Container container = await Idle("-u 7:8");
        string folder = await NewFolder("echo a >a && chown 1234:5678 a");
        (await Run($"cp {folder}/a {container}:/tmp/plain")).Succeeds();
        (await Run($"cp -a {folder}/a {container}:/tmp/own")).Succeeds();
        Assert.Equal("1234:5678\n7:8", await There(container, "stat -c '%u:%g' /tmp/plain /tmp/own"));
    }

    [Fact]
    public async Task Archives_come_and_go_by_a_dash()
    {
        await using Container container = await Idle();
        (await Cli.Run(["cp", "-", $"{container}:/tmp"], new TarMaker().Folder("d").File("d/f", "from tar\n").Finish())).Succeeds();
        Assert.Equal("from tar", await There(container, "cat /tmp/d/f"));
        CommandResult archive = await Run($"cp {container}:/tmp/d -");
        string file = Path.Combine(Daemon.Folder, NewName());
        File.WriteAllBytes(file, archive.Succeeds().OutputBytes);
        (await Daemon.Machine.ShellAsync($"tar -xOf {file} d/f")).Succeeds().Prints("from tar");
        (await Cli.Run(["cp", "-", $"{container}:/tmp/d/f"], new TarMaker().File("x").Finish())).Exits(1).Complains("directory");
        (await Cli.Run(["cp", "-", $"{container}:/tmp"], "no archive"u8.ToArray())).Exits(1);
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class CopyWithDockerTests(SharedDaemon shared) : CopyTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class CopyWithSampanTests(SharedDaemon shared) : CopyTests(shared, CommandLine.Sampan);
