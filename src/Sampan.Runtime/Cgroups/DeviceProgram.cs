using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// The device rules as an eBPF program for cgroup v2 (struct bpf_cgroup_dev_ctx: access_type, major, minor). The last rule that matches
/// decides, as in the v1 controller, so the rules are tested from the last to the first; nothing matching is a refusal.
/// </summary>
public static class DeviceProgram
{
    private const byte LoadWord = 0x61, AndImm = 0x54, RshImm = 0x74, MovReg = 0xbc, MovImm = 0xb4, JneImm = 0x56, JneReg = 0x5e, Exit = 0x95;

    /// <summary>Compiles rules. Registers: r2 type, r3 access, r4 major, r5 minor.</summary>
    public static ulong[] Compile(IReadOnlyList<DeviceRule> rules)
    {
        var code = new List<ulong>
        {
            Instruction(LoadWord, 2, 1, 0, 0),
            Instruction(AndImm, 2, 0, 0, 0xffff),
            Instruction(LoadWord, 3, 1, 0, 0),
            Instruction(RshImm, 3, 0, 0, 16),
            Instruction(LoadWord, 4, 1, 4, 0),
            Instruction(LoadWord, 5, 1, 8, 0),
        };
        foreach (var rule in rules.Reverse())
        {
            var tests = new List<ulong>();
            if (rule.Type is "b" or "c")
            {
                tests.Add(Instruction(JneImm, 2, 0, 0, rule.Type == "b" ? 1 : 2));
            }

            var access = Access(rule.Access);
            if (access != 7)
            {
                // r1 = r3 & ~access: what is asked beyond the rule; nothing must be left. r1 is not needed as the context any more.
                tests.Add(Instruction(MovReg, 1, 3, 0, 0));
                tests.Add(Instruction(AndImm, 1, 0, 0, access));
                tests.Add(Instruction(JneReg, 1, 3, 0, 0));
            }

            if (rule.Major is >= 0 and var major)
            {
                tests.Add(Instruction(JneImm, 4, 0, 0, (int)major));
            }

            if (rule.Minor is >= 0 and var minor)
            {
                tests.Add(Instruction(JneImm, 5, 0, 0, (int)minor));
            }

            // Every failed test jumps over the rest of the tests and the two instructions of the verdict.
            for (var i = 0; i < tests.Count; i++)
            {
                if ((byte)tests[i] is JneImm or JneReg)
                {
                    tests[i] |= (ulong)(ushort)(tests.Count - i + 1) << 16;
                }
            }

            code.AddRange(tests);
            code.Add(Instruction(MovImm, 0, 0, 0, rule.Allow ? 1 : 0));
            code.Add(Instruction(Exit, 0, 0, 0, 0));
            if (tests.Count == 0)
            {
                return [.. code]; // it always matches, and the verifier refuses code that cannot be reached
            }
        }

        code.Add(Instruction(MovImm, 0, 0, 0, 0));
        code.Add(Instruction(Exit, 0, 0, 0, 0));
        return [.. code];
    }

    private static int Access(string? access) => access is null or ""
        ? 7
        : (access.Contains('m') ? 1 : 0) | (access.Contains('r') ? 2 : 0) | (access.Contains('w') ? 4 : 0);

    private static ulong Instruction(byte opcode, int destination, int source, short offset, int immediate) =>
        opcode | (ulong)(uint)(destination | source << 4) << 8 | (ulong)(ushort)offset << 16 | (ulong)(uint)immediate << 32;
}
