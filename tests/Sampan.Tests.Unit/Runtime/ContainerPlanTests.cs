using Sampan.Linux;
using Sampan.Oci;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>What a spec is refused for before anything is made, and how the overlay's options are written.</summary>
public sealed class ContainerPlanTests
{
    private static readonly CreateOptions Options = new() { BundleDirectory = "/nonexistent", CgroupPath = "/sampan/x" };

    [Fact]
    public void The_default_spec_is_accepted() => Assert.NotEqual(0UL, new ContainerPlan(DockerDefaults.Spec(), Options).Namespaces.New & Raw.CLONE_NEWPID);

    [Fact]
    public void Settings_of_the_whole_machine_are_refused()
    {
        Refused("kernel.panic", s => s.Linux!.Sysctl = new() { ["kernel.panic"] = "1" });
        Refused("net.ipv4.ip_forward", s =>
        {
            s.Linux!.Sysctl = new() { ["net.ipv4.ip_forward"] = "1" };
            s.Linux.Namespaces!.RemoveAll(n => n.Type == "network");
        });
        Refused("hostname \"web\"", s =>
        {
            s.Hostname = "web";
            s.Linux!.Namespaces!.RemoveAll(n => n.Type == "uts");
        });
    }

    [Fact]
    public void What_does_not_exist_or_is_not_supported_is_refused_by_name()
    {
        Refused("mount namespace", s => s.Linux!.Namespaces!.RemoveAll(n => n.Type == "mount"));
        Refused("\"user\"", s => s.Linux!.Namespaces!.Add(new Namespace("user")));
        Refused("process.selinuxLabel", s => s.Process!.SelinuxLabel = "x");
        Refused("hooks", s => s.Hooks = new Hooks());
        Refused("CAP_FLY", s => s.Process!.Capabilities = new Capabilities { Bounding = ["CAP_FLY"] });
        Refused("RLIMIT_FUN", s => s.Process!.Rlimits = [new Rlimit("RLIMIT_FUN", 1, 1)]);
        Refused("above the hard limit", s => s.Process!.Rlimits = [new Rlimit("RLIMIT_NOFILE", 1, 2)]);
        Refused("/dev/x", s => s.Linux!.Devices = [new Device { Path = "/dev/x", Type = "q" }]);
    }

    [Fact]
    public void Nothing_to_execute_is_a_command_that_is_not_found()
    {
        var spec = DockerDefaults.Spec();
        spec.Process!.Args = [];
        Assert.Equal(127, Assert.Throws<ContainerSetupException>(() => new ContainerPlan(spec, Options)).ExitCode);
    }

    [Theory]
    [InlineData(SetupStep.Exec, Errno.ENOENT, 127, "exec: \"web\": executable file not found in $PATH")]
    [InlineData(SetupStep.Exec, Errno.EACCES, 126, "exec: \"web\": permission denied")]
    [InlineData(SetupStep.Exec, Errno.ENOEXEC, 126, "exec: \"web\": exec format error")]
    [InlineData(SetupStep.Mount, Errno.EPERM, 128, "mount web: operation not permitted")]
    public void A_failure_has_the_exit_code_and_the_words_of_its_step(SetupStep step, int errno, int exitCode, string message)
    {
        var error = new ContainerSetupException(step, "web", errno);
        Assert.Equal((exitCode, message), (error.ExitCode, error.Message));
    }

    [Fact]
    public void Layers_are_named_relative_to_their_common_directory() => Assert.Contains(
        "lowerdir=b/diff:a/diff,upperdir=/c/upper,workdir=/c/work",
        new OverlayRootfs(["/data/layers/b/diff", "/data/layers/a/diff"], "/c/upper", "/c/work").Prepare("/run/empty").Description);

    [Fact]
    public void Characters_that_separate_options_are_escaped() => Assert.Contains(
        @"lowerdir=a\:b\,c/diff:z/diff,",
        new OverlayRootfs(["/data/layers/a:b,c/diff", "/data/layers/z/diff"], "/c/upper", "/c/work").Prepare("/run/empty").Description);

    [Fact]
    public void An_overlay_always_has_the_layers_that_the_kernel_asks_for()
    {
        Assert.Contains("of 1 layers (lowerdir=empty,", new OverlayRootfs([], "/c/upper", "/c/work").Prepare("/run/empty").Description);
        Assert.Contains("lowerdir=data/a:run/empty", new OverlayRootfs(["/data/a"], null, null).Prepare("/run/empty").Description);
    }

    [Fact]
    public void More_layers_than_fit_a_page_are_set_one_by_one() => Assert.Contains(
        "needs Linux 6.8",
        new OverlayRootfs([.. Enumerable.Range(0, 400).Select(i => $"/data/layers/{i:00000000}/diff")], "/c/upper", "/c/work").Prepare("/run/empty").Description);

    private static void Refused(string word, Action<Spec> change)
    {
        var spec = DockerDefaults.Spec();
        change(spec);
        Assert.Contains(word, Assert.Throws<ArgumentException>(() => new ContainerPlan(spec, Options)).Message);
    }
}
