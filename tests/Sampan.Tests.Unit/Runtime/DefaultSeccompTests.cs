using System.Text.Json;
using Sampan.Oci;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>
/// Our default policy against Docker's published one: both are compiled, and must say the same about every call of x86-64 and i386, for several
/// sets of capabilities and all interesting arguments.
/// </summary>
public sealed class DefaultSeccompTests
{
    private const string Published = "/work/shared/conformance/seccomp/default.json";

    [Fact]
    public void The_default_policy_says_the_same_as_Dockers()
    {
        Assert.SkipUnless(File.Exists(Published), "Docker's policy is not on this machine");
        using var json = JsonDocument.Parse(File.ReadAllText(Published));
        string[][] sets = [[], CapabilityNames.Default, CapabilityNames.All, .. CapabilityNames.All.Select(c => new[] { c })];
        foreach (var capabilities in sets)
        {
            var ours = SeccompCompiler.Compile(DefaultSeccomp.For(capabilities));
            var theirs = SeccompCompiler.Compile(Select(json.RootElement, capabilities));
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

    /// <summary>The rules that hold on x86-64, a current kernel, and for these capabilities.</summary>
    private static Seccomp Select(JsonElement profile, string[] capabilities)
    {
        var rules = profile.GetProperty("syscalls").EnumerateArray()
            .Where(r => Texts(r, "includes", "caps").All(capabilities.Contains) && !Texts(r, "excludes", "caps").Any(capabilities.Contains)
                && (Texts(r, "includes", "arches") is var arches && (arches.Length == 0 || arches.Contains("amd64")))
                && !Texts(r, "excludes", "arches").Contains("amd64"))
            .Select(r => new SeccompRule
            {
                Names = [.. r.GetProperty("names").EnumerateArray().Select(n => n.GetString()!)],
                Action = r.GetProperty("action").GetString()!,
                ErrnoRet = r.TryGetProperty("errnoRet", out var errno) ? errno.GetUInt32() : null,
                Args = r.TryGetProperty("args", out var args) && args.ValueKind == JsonValueKind.Array ? [.. args.EnumerateArray().Select(ArgumentOf)] : null,
            });
        return new Seccomp
        {
            DefaultAction = "SCMP_ACT_ERRNO",
            DefaultErrnoRet = 1,
            Architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            Syscalls = [.. rules],
        };
    }

    private static SeccompArgument ArgumentOf(JsonElement a) => new(
        a.GetProperty("index").GetUInt32(), a.GetProperty("value").GetUInt64(), a.TryGetProperty("valueTwo", out var two) ? two.GetUInt64() : 0, a.GetProperty("op").GetString()!);

    private static string[] Texts(JsonElement rule, string part, string name) =>
        rule.TryGetProperty(part, out var p) && p.TryGetProperty(name, out var list) ? [.. list.EnumerateArray().Select(t => t.GetString()!)] : [];
}
