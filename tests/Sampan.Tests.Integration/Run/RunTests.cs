using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Run;

/// <summary>What a container is given, and what `run` gives back.</summary>
public abstract class RunTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Output_and_errors_come_back_apart() =>
        Assert.Equal(("to out", "to err"), (await Run("run --rm busybox sh -c 'echo to out; echo to err >&2'")).Succeeds() is var r
            ? (r.Output, r.Error) : default);

    [Theory]
    [InlineData("true", 0)]
    [InlineData("sh -c 'exit 3'", 3)]
    [InlineData("sh -c 'exit 255'", 255)]
    [InlineData("no-such-program", 127)]
    [InlineData("/no/such/path", 127)]
    [InlineData("/etc/passwd", 126)]
    [InlineData("/etc", 126)]
    public async Task The_exit_code_is_the_command_s_or_tells_why_it_did_not_start(string command, int exitCode) =>
        (await Run($"run --rm busybox {command}")).Exits(exitCode);

    [Fact]
    public async Task A_program_that_is_missing_is_named()
    {
        await using Container container = Cleaned(NewName());
        (await Run($"run --name {container} busybox no-such-program")).Exits(127).Complains("no-such-program");
        Assert.Equal("127", await Inspect("{{.State.ExitCode}}", container.Name));
    }

    [Theory]
    [InlineData("run --no-such-flag busybox true", "no-such-flag")]
    [InlineData("run --rm -m 1 busybox true", "memory")]
    [InlineData("run --rm --cpus 1000 busybox true", "cpus")]
    [InlineData("run --rm -v relative/../:x:y:z busybox true", "invalid")]
    [InlineData("run --rm --network no-such-network busybox true", "no-such-network")]
    [InlineData("run --rm --mount type=bind,src=/no/such/source,dst=/x busybox true", "/no/such/source")]
    [InlineData("run --rm -u no-such-user busybox true", "no-such-user")]
    [InlineData("run --rm --cap-add NO_SUCH_CAP busybox true", "NO_SUCH_CAP")]
    [InlineData("run --rm -w relative busybox true", "relative")]
    [InlineData("run --rm --name -bad- busybox true", "-bad-")]
    public async Task What_cannot_be_made_exits_with_125_and_names_the_cause(string command, string cause) =>
        (await Run(command)).Exits(125).Complains(cause);

    [Fact]
    public async Task A_name_in_use_is_refused()
    {
        await using Container first = await Idle();
        (await Run($"run --name {first} busybox true")).Exits(125).Complains("already in use").Complains(first.Name);
    }

    [Fact]
    public async Task A_signal_s_exit_code_is_128_and_its_number()
    {
        await using Container container = await Idle(command: "sleep 1000");
        (await Run($"kill {container}")).Succeeds().Prints(container.Name);
        (await Run($"wait {container}")).Succeeds().Prints("137");
    }

    [Fact]
    public async Task In_the_background_the_id_is_printed()
    {
        await using Container container = await Idle();
        Assert.Matches("^[0-9a-f]{64}$", container.Id);
        Assert.Equal(container.Id, await Inspect("{{.Id}}", container.Name));
    }

    [Fact]
    public async Task Rm_removes_the_container_and_everything_of_it()
    {
        string name = NewName();
        string id = (await Run($"run -d --rm --name {name} busybox sleep 1000")).Succeeds().Output;
        Assert.NotEmpty(Cgroups.Of(id));
        (await Run($"kill {name}")).Succeeds();
        await Eventually.IsTrue(async () => (await Run($"inspect {name}")).ExitCode != 0, 20, () => $"removal of '{name}'");
        await Eventually.IsTrue(() => Cgroups.Of(id).Count == 0, 10, () => "removal of its control groups");
        (await Daemon.Machine.ShellAsync($"grep {id} /proc/mounts")).Fails();
        (await Daemon.Machine.ShellAsync($"ls {Daemon.DataRoot}/containers {Daemon.Folder}/exec | grep {id}")).Fails();
    }

    [Fact]
    public async Task Environment_comes_from_flags_files_and_the_caller()
    {
        string file = Path.Combine(Daemon.Folder, NewName());
        File.WriteAllText(file, "# a comment\nFROM_FILE=two words\n\nOTHER=x\n");
        (await Run($"run --rm -e A=1 -e B= -e 'C=a b=c' --env-file {file} busybox sh -c 'echo \"$A|$B|$C|$FROM_FILE|$OTHER|$HOME\"'"))
            .Succeeds().Prints("1||a b=c|two words|x|/root");
        (await Run("run --rm -e TERM -e NO_SUCH_VARIABLE busybox env")).Succeeds().Shows("TERM=xterm");
    }

    [Theory]
    [InlineData("", "/")]
    [InlineData("-w /var", "/var")]
    [InlineData("-w /made/on/the/way", "/made/on/the/way")]
    public async Task The_working_directory_is_set_and_made(string options, string expected) =>
        (await Run($"run --rm {options} busybox pwd")).Succeeds().Prints(expected);

    [Theory]
    [InlineData("", "uid=0(root) gid=0(root)")]
    [InlineData("-u 1000", "uid=1000 gid=0(root)")]
    [InlineData("-u 1000:2000", "uid=1000 gid=2000")]
    [InlineData("-u www-data", "uid=33(www-data) gid=33(www-data)")]
    [InlineData("-u nobody:users", "uid=65534(nobody) gid=100(users)")]
    public async Task The_user_is_looked_up_in_the_image(string options, string expected) =>
        Assert.StartsWith(expected, (await Run($"run --rm {options} busybox id")).Succeeds().Output);

    [Fact]
    public async Task The_entry_point_is_replaced()
    {
        (await Run("run --rm --entrypoint echo busybox one two")).Succeeds().Prints("one two");
        (await Run("run --rm --entrypoint /bin/sh busybox -c 'echo $0'")).Succeeds();
    }

    [Fact]
    public async Task A_container_has_processes_and_a_host_name_of_its_own()
    {
        (await Run("run --rm --hostname boat busybox sh -c 'hostname; cat /etc/hostname; echo $$; set -- /proc/[0-9]*; echo $#'"))
            .Succeeds().Prints("boat\nboat\n1\n1");
        await using Container container = await Idle();
        (await Run($"exec {container} hostname")).Succeeds().Prints(container.Id[..12]);
    }

    [Fact]
    public async Task Labels_are_kept()
    {
        await using Container container = await Idle("-l one=1 --label two");
        Assert.Equal("1|", await Inspect("{{.Config.Labels.one}}|{{.Config.Labels.two}}", container.Name));
    }

    [Fact]
    public async Task With_init_the_command_is_not_the_first_process_and_orphans_are_reaped()
    {
        (await Run("run --rm --init busybox sh -c 'test $$ -ne 1; echo $?'")).Succeeds().Prints("0");
        if (!Subject.IsReference)
            (await Run("run --rm --init busybox sh -c 'tr -d \"\\0\" </proc/1/cmdline'")).Succeeds().Prints("sampan-init");
        await using Container container = await Idle("--init");
        (await Run($"exec {container} sh -c 'sleep 0.05 & exit 0'")).Succeeds();
        await Eventually.IsTrue(async () => !(await Run($"exec {container} ps")).Succeeds().Output.Contains("[sleep]"), 10, () => "a reaped orphan");
        (await Run($"stop {container}", timeoutSeconds: 8)).Succeeds();
        Assert.Equal("143", await Inspect("{{.State.ExitCode}}", container.Name));
    }
}

/// <summary>The group through Docker's command line.</summary>
[Trait("vm", "yes")]
public sealed class RunWithDockerTests(SharedDaemon shared) : RunTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
[Trait("vm", "yes")]
public sealed class RunWithSampanTests(SharedDaemon shared) : RunTests(shared, CommandLine.Sampan);
