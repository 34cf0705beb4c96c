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
        var bpf = new BpfAssembler();
        var next = bpf.Return(RetErrno | Errno.ENOSYS);
        foreach (var architecture in Enumerable.Reverse(architectures))
        {
            next = bpf.Branch(BpfAssembler.JumpEqual, AuditArchitecture(architecture), Section(bpf, seccomp, architecture), next);
        }

        bpf.Load(ArchOffset, next);
        return bpf.ToArray();
    }

    private static int Section(BpfAssembler bpf, Seccomp seccomp, string architecture)
    {
        var fallback = Action(seccomp.DefaultAction, seccomp.DefaultErrnoRet);
        var ranges = Ranges(Verdicts(seccomp, fallback, SyscallNumbers.Of(architecture)), fallback);
        var tree = Tree(bpf, ranges, 0, ranges.Count);
        return bpf.Load(NumberOffset, architecture == "SCMP_ARCH_X86_64"
            ? bpf.Branch(BpfAssembler.JumpGreaterOrEqual, X32Bit, bpf.Return(RetErrno | Errno.ENOSYS), tree)
            : tree);
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

    private static int Tree(BpfAssembler bpf, List<(uint Start, Verdict Verdict)> ranges, int from, int to)
    {
        if (to - from == 1)
        {
            return Leaf(bpf, ranges[from].Verdict);
        }

        var middle = (from + to) / 2;
        var above = Tree(bpf, ranges, middle, to);
        return bpf.Branch(BpfAssembler.JumpGreaterOrEqual, ranges[middle].Start, above, Tree(bpf, ranges, from, middle));
    }

    private static int Leaf(BpfAssembler bpf, Verdict verdict)
    {
        var next = bpf.Return(verdict.Default);
        foreach (var (arguments, action) in Enumerable.Reverse(verdict.Rules))
        {
            var matched = bpf.Return(action);
            foreach (var argument in Enumerable.Reverse(arguments))
            {
                matched = Condition(bpf, argument, matched, next);
            }

            next = matched;
        }

        return next;
    }

    /// <summary>Arguments have 64 bits and the machine words 32: the high half is looked at first.</summary>
    private static int Condition(BpfAssembler bpf, SeccompArgument argument, int holds, int fails)
    {
        if (argument.Index > 5)
        {
            throw new ArgumentException($"seccomp: argument index {argument.Index} is not in 0..5");
        }

        var (lowOffset, highOffset) = (ArgumentsOffset + 8 * argument.Index, ArgumentsOffset + 8 * argument.Index + 4);
        var (value, mask) = argument.Op == "SCMP_CMP_MASKED_EQ" ? (argument.ValueTwo, argument.Value) : (argument.Value, ulong.MaxValue);
        var (high, low) = ((uint)(value >> 32), (uint)value);
        switch (argument.Op)
        {
            case "SCMP_CMP_EQ":
                return Compare(BpfAssembler.JumpEqual, holds, fails, null, fails);
            case "SCMP_CMP_NE":
                return Compare(BpfAssembler.JumpEqual, fails, holds, null, holds);
            case "SCMP_CMP_MASKED_EQ":
                var lowEqual = bpf.Load(lowOffset, bpf.And((uint)mask, bpf.Branch(BpfAssembler.JumpEqual, low, holds, fails)));
                return bpf.Load(highOffset, bpf.And((uint)(mask >> 32), bpf.Branch(BpfAssembler.JumpEqual, high, lowEqual, fails)));
            case "SCMP_CMP_GE":
                return Compare(BpfAssembler.JumpGreaterOrEqual, holds, fails, holds, fails);
            case "SCMP_CMP_GT":
                return Compare(BpfAssembler.JumpGreater, holds, fails, holds, fails);
            case "SCMP_CMP_LT":
                return Compare(BpfAssembler.JumpGreaterOrEqual, fails, holds, fails, holds);
            case "SCMP_CMP_LE":
                return Compare(BpfAssembler.JumpGreater, fails, holds, fails, holds);
            default:
                throw new ArgumentException($"seccomp: unknown operator \"{argument.Op}\"");
        }

        // With equal high halves the low ones decide; else whether the high one is above, where that matters.
        int Compare(ushort comparison, int whenTrue, int whenFalse, int? highAbove, int highBelow)
        {
            var lowHalf = bpf.Load(lowOffset, bpf.Branch(comparison, low, whenTrue, whenFalse));
            var highHalf = bpf.Branch(BpfAssembler.JumpEqual, high, lowHalf, highBelow);
            return bpf.Load(highOffset, highAbove is { } above ? bpf.Branch(BpfAssembler.JumpGreater, high, above, highHalf) : highHalf);
        }
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
}
