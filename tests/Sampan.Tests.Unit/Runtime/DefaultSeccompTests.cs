using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>
/// Our default policy against Docker's published one: both are compiled, and must say the same about every call of x86-64 and i386, for several
/// sets of capabilities and all interesting arguments.
/// </summary>
public sealed class DefaultSeccompTests
{
    [Fact]
    public void The_default_policy_says_the_same_as_Dockers()
    {
        var published = CustomSeccomp.Parse(File.ReadAllText(Conformance.Path("seccomp/default.json")));
        string[][] sets = [[], CapabilityNames.Default, CapabilityNames.All, .. CapabilityNames.All.Select(c => new[] { c })];
        foreach (var capabilities in sets)
        {
            var ours = SeccompCompiler.Compile(DefaultSeccomp.For(capabilities));
            var theirs = SeccompCompiler.Compile(published.For(capabilities));
            for (var number = 0; number < 480; number++)
            {
                foreach (var argument in (ulong[])[0, 1, 8, 17, 38, 39, 40, 41, 0x20000, 0x20008, 0x10000000, 0x40000000, 0x7E020000, 0xffffffff, ulong.MaxValue])
                {
                    foreach (var architecture in (uint[])[BpfMachine.X64, BpfMachine.X86])
                    {
                        var (mine, other) = (BpfMachine.Run(ours, number, [argument], architecture), BpfMachine.Run(theirs, number, [argument], architecture));
                        Assert.True(mine == other, $"call {number} (0x{architecture:x}) with 0x{argument:x} and [{string.Join(' ', capabilities)}]: 0x{mine:x}, Docker 0x{other:x}");
                    }
                }
            }
        }
    }
}
