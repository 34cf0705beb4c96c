using Sampan.Linux;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>Policies of users; Docker's own is read by <see cref="DefaultSeccompTests"/>.</summary>
public sealed class CustomSeccompTests
{
    private const uint Allow = 0x7fff0000, Refuse = 0x50000 | Errno.EPERM;
    private const int Mkdir = 83, Chmod = 90, Rmdir = 84;

    private static uint Verdict(string json, int call, params string[] capabilities) =>
        BpfMachine.Run(SeccompCompiler.Compile(CustomSeccomp.Parse(json).For(capabilities)), call, [0], BpfMachine.X64);

    [Fact]
    public void Calls_that_are_named_are_refused_and_the_others_are_not()
    {
        const string profile = """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}, {"name": "rmdir", "action": "SCMP_ACT_ERRNO"}]}""";
        Assert.Equal([Refuse, Allow, Refuse], ((int[])[Mkdir, Chmod, Rmdir]).Select(call => Verdict(profile, call)));
    }

    [Theory]
    [InlineData("""{"caps": ["CAP_CHOWN"]}""", false)]
    [InlineData("""{"caps": ["CAP_FOWNER"]}""", true)]
    [InlineData("""{"caps": ["CAP_FOWNER", "CAP_CHOWN"]}""", false)]
    [InlineData("""{"arches": ["s390x"]}""", false)]
    [InlineData("""{"arches": ["amd64", "arm64"]}""", true)]
    [InlineData("""{"minKernel": "4.8"}""", true)]
    [InlineData("""{"minKernel": "99.1"}""", false)]
    [InlineData("""{"minKernel": "4.8", "caps": ["CAP_CHOWN"]}""", false)]
    public void A_rule_may_be_for_some_containers_only(string includes, bool holds)
    {
        var profile = $$"""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "includes": {{includes}}}]}""";
        Assert.Equal(holds ? Refuse : Allow, Verdict(profile, Chmod, "CAP_FOWNER"));
    }

    [Theory]
    [InlineData("""{"caps": ["CAP_CHOWN"]}""", true)]
    [InlineData("""{"caps": ["CAP_CHOWN", "CAP_FOWNER"]}""", false)]
    [InlineData("""{"arches": ["amd64", "arm64"]}""", false)]
    [InlineData("""{"minKernel": "4.8"}""", false)]
    [InlineData("""{"minKernel": "99.1"}""", true)]
    public void A_rule_may_be_not_for_some_containers(string excludes, bool holds)
    {
        var profile = $$"""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "excludes": {{excludes}}}]}""";
        Assert.Equal(holds ? Refuse : Allow, Verdict(profile, Chmod, "CAP_FOWNER"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"defaultAction": "SCMP_ACT_BANANA"}""")]
    [InlineData("""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod"], "action": "no"}]}""")]
    [InlineData("""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod"], "name": "chown", "action": "SCMP_ACT_ERRNO"}]}""")]
    [InlineData("""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "new"}}]}""")]
    [InlineData("""{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}]}]}""")]
    [InlineData("""{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}""")]
    public void What_is_no_profile_is_refused(string json) => Assert.Throws<ArgumentException>(() => CustomSeccomp.Parse(json));
}
