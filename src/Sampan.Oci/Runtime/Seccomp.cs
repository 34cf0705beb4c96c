namespace Sampan.Oci;

/// <summary>A system call filter (config-linux.md, Seccomp).</summary>
public sealed record Seccomp
{
    public required string DefaultAction { get; init; }

    public uint? DefaultErrnoRet { get; set; }

    public List<string>? Architectures { get; set; }

    public List<string>? Flags { get; set; }

    public List<SeccompRule>? Syscalls { get; set; }
}

/// <summary>An action for some calls, when all argument conditions hold.</summary>
public sealed record SeccompRule
{
    public required List<string> Names { get; init; }

    public required string Action { get; init; }

    public uint? ErrnoRet { get; set; }

    public List<SeccompArgument>? Args { get; set; }
}

/// <summary>A condition on one argument; Op is SCMP_CMP_EQ, NE, LT, LE, GT, GE or MASKED_EQ.</summary>
public sealed record SeccompArgument(uint Index, ulong Value, ulong ValueTwo, string Op);
