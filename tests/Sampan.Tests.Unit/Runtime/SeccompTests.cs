using Sampan.Oci;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>The compiled filter does what the spec's section says, judged by running the BPF.</summary>
public sealed class SeccompTests
{
    private const uint Denied = BpfMachine.Errno | 1, NoSuchCall = BpfMachine.Errno | 38;

    [Fact]
    public void A_listed_call_is_allowed_and_another_one_gets_the_default()
    {
        var program = Compile(Rule("SCMP_ACT_ALLOW", "read", "openat"));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 0));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 257));
        Assert.Equal(Denied, BpfMachine.Run(program, 1));
        Assert.Equal(Denied, BpfMachine.Run(program, 256));
    }

    [Fact]
    public void A_call_of_another_architecture_or_of_x32_does_not_exist()
    {
        var program = Compile(Rule("SCMP_ACT_ALLOW", "read"));
        Assert.Equal(NoSuchCall, BpfMachine.Run(program, 0, architecture: BpfMachine.X86));
        Assert.Equal(NoSuchCall, BpfMachine.Run(program, 0x40000000));
    }

    [Fact]
    public void A_call_newer_than_every_listed_one_does_not_exist_rather_than_being_forbidden()
    {
        // Programs try new calls and fall back on ENOSYS, but not on EPERM.
        var program = SeccompCompiler.Compile(DefaultSeccomp.For(CapabilityNames.Default));
        Assert.Equal(NoSuchCall, BpfMachine.Run(program, 900));
        Assert.Equal(Denied, BpfMachine.Run(program, 165)); // mount
    }

    [Theory]
    [InlineData("SCMP_CMP_EQ", 5, 0, 5, true)]
    [InlineData("SCMP_CMP_EQ", 5, 0, 0x100000005, false)]
    [InlineData("SCMP_CMP_NE", 5, 0, 5, false)]
    [InlineData("SCMP_CMP_NE", 5, 0, 0x100000005, true)]
    [InlineData("SCMP_CMP_LT", 0x100000000, 0, 0xffffffff, true)]
    [InlineData("SCMP_CMP_LT", 0x100000000, 0, 0x100000000, false)]
    [InlineData("SCMP_CMP_LE", 0x100000000, 0, 0x100000000, true)]
    [InlineData("SCMP_CMP_LE", 0x100000000, 0, 0x100000001, false)]
    [InlineData("SCMP_CMP_GT", 0x100000000, 0, 0x100000000, false)]
    [InlineData("SCMP_CMP_GT", 0x100000000, 0, 0x200000000, true)]
    [InlineData("SCMP_CMP_GE", 0x100000001, 0, 0x100000001, true)]
    [InlineData("SCMP_CMP_GE", 0x100000001, 0, 0x1ffffffff, true)]
    [InlineData("SCMP_CMP_GE", 0x100000001, 0, 0xffffffff, false)]
    [InlineData("SCMP_CMP_MASKED_EQ", 0xf0, 0x30, 0x35, true)]
    [InlineData("SCMP_CMP_MASKED_EQ", 0xf0, 0x30, 0x45, false)]
    [InlineData("SCMP_CMP_MASKED_EQ", 0x7E020000, 0, 0x10000, true)]
    public void A_condition_compares_all_64_bits(string op, ulong value, ulong valueTwo, ulong argument, bool holds)
    {
        var program = Compile(Rule("SCMP_ACT_ALLOW", "read") with { Args = [new SeccompArgument(2, value, valueTwo, op)] });
        Assert.Equal(holds ? BpfMachine.Allow : Denied, BpfMachine.Run(program, 0, [0, 0, argument]));
    }

    [Fact]
    public void All_conditions_of_a_rule_must_hold_and_any_rule_is_enough()
    {
        var program = Compile(
            Rule("SCMP_ACT_ALLOW", "read") with { Args = [new SeccompArgument(0, 1, 0, "SCMP_CMP_EQ"), new SeccompArgument(1, 2, 0, "SCMP_CMP_EQ")] },
            Rule("SCMP_ACT_ALLOW", "read") with { Args = [new SeccompArgument(0, 9, 0, "SCMP_CMP_EQ")] });
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 0, [1, 2]));
        Assert.Equal(Denied, BpfMachine.Run(program, 0, [1, 3]));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 0, [9, 3]));
    }

    [Fact]
    public void A_rule_has_its_own_errno()
    {
        var program = Compile(Rule("SCMP_ACT_ERRNO", "clone3") with { ErrnoRet = 38 }, Rule("SCMP_ACT_KILL_PROCESS", "reboot"));
        Assert.Equal(NoSuchCall, BpfMachine.Run(program, 435));
        Assert.Equal(0x80000000, BpfMachine.Run(program, 169));
    }

    [Theory]
    [InlineData("SCMP_ACT_NONE", "read", "SCMP_CMP_EQ", 0)]
    [InlineData("SCMP_ACT_ALLOW", "read", "SCMP_CMP_LIKE", 0)]
    [InlineData("SCMP_ACT_ALLOW", "read", "SCMP_CMP_EQ", 6)]
    public void What_does_not_exist_is_refused(string action, string call, string op, uint index) =>
        Assert.Throws<ArgumentException>(() => Compile(Rule(action, call) with { Args = [new SeccompArgument(index, 0, 0, op)] }));

    [Fact]
    public void The_default_policy_stays_small()
    {
        var both = DefaultSeccomp.For(CapabilityNames.Default);
        Assert.InRange(SeccompCompiler.Compile(both with { Architectures = null }).Length, 60, 140);
        Assert.InRange(SeccompCompiler.Compile(both).Length, 120, 280);
    }

    [Fact]
    public void A_32_bit_program_has_its_own_numbers()
    {
        var program = SeccompCompiler.Compile(DefaultSeccomp.For(CapabilityNames.Default));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 4, architecture: BpfMachine.X86)); // write
        Assert.Equal(Denied, BpfMachine.Run(program, 21, architecture: BpfMachine.X86)); // mount; 21 is access on x86-64
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 21));
    }

    [Fact]
    public void The_default_policy_guards_namespaces_and_sockets()
    {
        var program = SeccompCompiler.Compile(DefaultSeccomp.For(CapabilityNames.Default));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 56, [0x11])); // clone
        Assert.Equal(Denied, BpfMachine.Run(program, 56, [0x10000000])); // with CLONE_NEWUSER
        Assert.Equal(NoSuchCall, BpfMachine.Run(program, 435)); // clone3
        Assert.Equal(Denied, BpfMachine.Run(program, 41, [38])); // AF_ALG
        Assert.Equal(Denied, BpfMachine.Run(program, 41, [40])); // AF_VSOCK
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(program, 41, [2]));
        var admin = SeccompCompiler.Compile(DefaultSeccomp.For(["CAP_SYS_ADMIN"]));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(admin, 56, [0x10000000]));
        Assert.Equal(BpfMachine.Allow, BpfMachine.Run(admin, 435));
    }

    [Fact]
    public void A_filter_longer_than_a_jump_reaches_is_still_right()
    {
        var names = SyscallNumbers.Of("SCMP_ARCH_X86_64").Where(n => n.Value < 300).ToList();
        var program = Compile([.. names.Select(n => Rule("SCMP_ACT_ERRNO", n.Key) with
        {
            ErrnoRet = (uint)(n.Value + 2), Args = n.Value % 3 == 0 ? [new SeccompArgument(0, (ulong)n.Value, 0, "SCMP_CMP_EQ")] : null,
        })]);
        Assert.InRange(program.Length, 512, 4096);
        Assert.All(names, n => Assert.Equal(BpfMachine.Errno | (uint)(n.Value + 2), BpfMachine.Run(program, n.Value, [(ulong)n.Value])));
        Assert.All(names.Where(n => n.Value % 3 == 0), n => Assert.Equal(Denied, BpfMachine.Run(program, n.Value, [77777])));
    }

    private static SeccompRule Rule(string action, params string[] names) => new() { Action = action, Names = [.. names] };

    private static ulong[] Compile(params SeccompRule[] rules) =>
        SeccompCompiler.Compile(new Seccomp { DefaultAction = "SCMP_ACT_ERRNO", DefaultErrnoRet = 1, Syscalls = [.. rules] });
}
