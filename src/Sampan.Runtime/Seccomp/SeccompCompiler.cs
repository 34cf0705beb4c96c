using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// Compiles a seccomp section to classic BPF (linux/filter.h, seccomp(2)). The calls are sorted into ranges of one verdict and searched
/// as a balanced tree, which takes a third of libseccomp's instructions for Docker's list. Calls of another architecture than the
/// machine's (and its 32-bit mode's, when listed) get ENOSYS.
/// </summary>
public static class SeccompCompiler
{
    private const ushort LoadAbsolute = 0x20, JumpEqual = 0x15, JumpGreaterOrEqual = 0x35, JumpGreater = 0x25, Jump = 0x05, And = 0x54, Return = 0x06;
    private const uint NumberOffset = 0, ArchOffset = 4, ArgumentsOffset = 16, X32Bit = 0x40000000;
    private const uint RetErrno = 0x50000, RetAllow = 0x7fff0000, RetKillProcess = 0x80000000, RetKillThread = 0, RetTrap = 0x30000, RetTrace = 0x7ff00000, RetLog = 0x7ffc0000;

    private sealed record Verdict(uint Default, List<(List<SeccompArgument> Arguments, uint Action)> Rules)
    {
        public bool IsPlain(uint action) => Rules.Count == 0 && Default == action;
    }

    /// <summary>The program, one struct sock_filter in each element (code, jt, jf, k).</summary>
    /// <exception cref="ArgumentException">The section names an action, operator or argument that does not exist.</exception>
    public static ulong[] Compile(Seccomp seccomp)
    {
        // The machine's own calls always; those of its 32-bit mode when the section names it. Others do not exist.
        List<string> architectures = [SyscallNumbers.Native];
        architectures.AddRange((seccomp.Architectures ?? []).Where(a => a == "SCMP_ARCH_X86" && SyscallNumbers.Native == "SCMP_ARCH_X86_64"));
        List<ulong> code = [Instruction(LoadAbsolute, 0, 0, ArchOffset)];
        foreach (var architecture in architectures)
        {
            var section = Section(seccomp, architecture);
            code.AddRange([Instruction(JumpEqual, 1, 0, AuditArchitecture(architecture)), Instruction(Jump, 0, 0, (uint)section.Count), .. section]);
        }

        code.Add(Instruction(Return, 0, 0, RetErrno | Errno.ENOSYS));
        return [.. code];
    }

    private static List<ulong> Section(Seccomp seccomp, string architecture)
    {
        var fallback = Action(seccomp.DefaultAction, seccomp.DefaultErrnoRet);
        var ranges = Ranges(Verdicts(seccomp, fallback, SyscallNumbers.Of(architecture)), fallback);
        List<ulong> code = [Instruction(LoadAbsolute, 0, 0, NumberOffset)];
        if (architecture == "SCMP_ARCH_X86_64")
        {
            code.Add(Instruction(JumpGreaterOrEqual, 0, 1, X32Bit));
            code.Add(Instruction(Return, 0, 0, RetErrno | Errno.ENOSYS));
        }

        code.AddRange(Tree(ranges, 0, ranges.Count));
        return code;
    }

    /// <summary>AUDIT_ARCH_* of linux/audit.h.</summary>
    private static uint AuditArchitecture(string architecture) => architecture switch
    {
        "SCMP_ARCH_X86_64" => 0xC000003E,
        "SCMP_ARCH_X86" => 0x40000003,
        _ => 0xC00000B7,
    };

    /// <summary>
    /// The flags of seccomp(2). Without any, the filter leaves the speculative store bypass alone (SPEC_ALLOW), as runc does: the mitigation
    /// that a filter switches on otherwise slows every program down.
    /// </summary>
    public static uint Flags(IReadOnlyList<string>? names)
    {
        const uint log = 2, specAllow = 4;
        return names is null ? specAllow : names.Aggregate(0u, (flags, name) => flags | name switch
        {
            "SECCOMP_FILTER_FLAG_TSYNC" => 0, // one thread is all
            "SECCOMP_FILTER_FLAG_LOG" => log,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => specAllow,
            _ => throw new ArgumentException($"seccomp: unknown flag \"{name}\""),
        });
    }

    private static SortedDictionary<int, Verdict> Verdicts(Seccomp seccomp, uint fallback, IReadOnlyDictionary<string, int> numbers)
    {
        var verdicts = new SortedDictionary<int, Verdict>();
        foreach (var rule in seccomp.Syscalls ?? [])
        {
            var action = Action(rule.Action, rule.ErrnoRet);
            foreach (var name in rule.Names)
            {
                // A name that this architecture does not have is passed over: lists are written for all of them.
                if (!numbers.TryGetValue(name, out var number))
                {
                    continue;
                }

                var verdict = verdicts.GetValueOrDefault(number) ?? new Verdict(fallback, []);
                if (rule.Args is { Count: > 0 } arguments)
                {
                    verdict.Rules.Add((arguments, action));
                    verdicts[number] = verdict;
                }
                else if (verdict.Default == fallback)
                {
                    verdicts[number] = action == RetAllow ? new Verdict(action, []) : verdict with { Default = action };
                }
            }
        }

        return verdicts;
    }

    private static List<(uint Start, Verdict Verdict)> Ranges(SortedDictionary<int, Verdict> verdicts, uint fallback)
    {
        var none = new Verdict(fallback, []);
        var ranges = new List<(uint, Verdict)> { (0, none) };
        var next = 0;
        foreach (var (number, verdict) in verdicts)
        {
            if (number > next)
            {
                Add((uint)next, none);
            }

            Add((uint)number, verdict);
            next = number + 1;
        }

        // Calls newer than the newest that is listed: the list's author did not know them, and a C library falls back only on ENOSYS.
        var isDenial = fallback is not (RetAllow or RetLog);
        Add((uint)next, isDenial && verdicts.Count > 0 ? new Verdict(RetErrno | Errno.ENOSYS, []) : none);
        return ranges;

        void Add(uint start, Verdict verdict)
        {
            if (ranges[^1].Item1 == start)
            {
                ranges.RemoveAt(ranges.Count - 1);
            }

            if (ranges.Count == 0 || verdict.Rules.Count > 0 || !ranges[^1].Item2.IsPlain(verdict.Default))
            {
                ranges.Add((start, verdict));
            }
        }
    }

    private static List<ulong> Tree(List<(uint Start, Verdict Verdict)> ranges, int from, int to)
    {
        if (to - from == 1)
        {
            return Leaf(ranges[from].Verdict);
        }

        var middle = (from + to) / 2;
        var below = Tree(ranges, from, middle);
        var above = Tree(ranges, middle, to);
        return below.Count <= byte.MaxValue
            ? [Instruction(JumpGreaterOrEqual, (byte)below.Count, 0, ranges[middle].Start), .. below, .. above]
            : [Instruction(JumpGreaterOrEqual, 0, 1, ranges[middle].Start), Instruction(Jump, 0, 0, (uint)below.Count), .. below, .. above];
    }

    private static List<ulong> Leaf(Verdict verdict)
    {
        var code = new List<ulong>();
        foreach (var (arguments, action) in verdict.Rules)
        {
            // Each condition falls through when it holds and jumps behind the rule's return when it does not.
            List<ulong> rule = [Instruction(Return, 0, 0, action)];
            foreach (var argument in Enumerable.Reverse(arguments))
            {
                rule.InsertRange(0, Condition(argument, (byte)rule.Count));
            }

            code.AddRange(rule);
        }

        code.Add(Instruction(Return, 0, 0, verdict.Default));
        return code;
    }

    /// <param name="argument">The condition.</param>
    /// <param name="rest">How many instructions of the rule follow it: a failing test skips them.</param>
    private static ulong[] Condition(SeccompArgument argument, byte rest)
    {
        if (argument.Index > 5)
        {
            throw new ArgumentException($"seccomp: argument index {argument.Index} is not in 0..5");
        }

        var (value, mask) = argument.Op == "SCMP_CMP_MASKED_EQ" ? (argument.ValueTwo, argument.Value) : (argument.Value, ulong.MaxValue);
        var (high, low) = ((uint)(value >> 32), (uint)value);
        var loadHigh = Instruction(LoadAbsolute, 0, 0, ArgumentsOffset + 8 * argument.Index + 4);
        var loadLow = Instruction(LoadAbsolute, 0, 0, ArgumentsOffset + 8 * argument.Index);
        byte Skip(int more) => checked((byte)(rest + more));
        return argument.Op switch
        {
            "SCMP_CMP_EQ" => [loadHigh, Instruction(JumpEqual, 0, Skip(2), high), loadLow, Instruction(JumpEqual, 0, Skip(0), low)],
            "SCMP_CMP_NE" => [loadHigh, Instruction(JumpEqual, 0, 2, high), loadLow, Instruction(JumpEqual, Skip(0), 0, low)],
            "SCMP_CMP_MASKED_EQ" =>
            [
                loadHigh, Instruction(And, 0, 0, (uint)(mask >> 32)), Instruction(JumpEqual, 0, Skip(3), high),
                loadLow, Instruction(And, 0, 0, (uint)mask), Instruction(JumpEqual, 0, Skip(0), low),
            ],
            "SCMP_CMP_GE" or "SCMP_CMP_GT" =>
            [
                loadHigh, Instruction(JumpGreater, 3, 0, high), Instruction(JumpEqual, 0, Skip(2), high),
                loadLow, Instruction(argument.Op == "SCMP_CMP_GE" ? JumpGreaterOrEqual : JumpGreater, 0, Skip(0), low),
            ],
            "SCMP_CMP_LT" or "SCMP_CMP_LE" =>
            [
                loadHigh, Instruction(JumpGreater, Skip(3), 0, high), Instruction(JumpEqual, 0, 2, high),
                loadLow, Instruction(argument.Op == "SCMP_CMP_LT" ? JumpGreaterOrEqual : JumpGreater, Skip(0), 0, low),
            ],
            _ => throw new ArgumentException($"seccomp: unknown operator \"{argument.Op}\""),
        };
    }

    private static uint Action(string name, uint? errno) => name switch
    {
        "SCMP_ACT_ALLOW" => RetAllow,
        "SCMP_ACT_ERRNO" => RetErrno | (errno ?? Errno.EPERM),
        "SCMP_ACT_KILL" or "SCMP_ACT_KILL_THREAD" => RetKillThread,
        "SCMP_ACT_KILL_PROCESS" => RetKillProcess,
        "SCMP_ACT_TRAP" => RetTrap,
        "SCMP_ACT_TRACE" => RetTrace | (errno ?? 0),
        "SCMP_ACT_LOG" => RetLog,
        _ => throw new ArgumentException($"seccomp: unknown action \"{name}\""),
    };

    private static ulong Instruction(ushort code, byte whenTrue, byte whenFalse, uint k) => code | (ulong)whenTrue << 16 | (ulong)whenFalse << 24 | (ulong)k << 32;
}
