using System.Runtime.InteropServices;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A container's seccomp section, compiled once for its first program and all that are executed beside it.</summary>
internal sealed class SeccompFilter
{
    private readonly NativeBlock _program;
    private readonly uint _flags;

    private SeccompFilter(Seccomp seccomp) =>
        (_program, _flags) = (new NativeBlock(MemoryMarshal.AsBytes<ulong>(SeccompCompiler.Compile(seccomp))), SeccompCompiler.Flags(seccomp.Flags));

    /// <summary>Null where there is no filter.</summary>
    /// <exception cref="ArgumentException">The section names an action, operator, argument or flag that does not exist.</exception>
    public static SeccompFilter? Of(Seccomp? seccomp) => seccomp is null ? null : new SeccompFilter(seccomp);

    /// <summary>In the child: 0 or a negated errno.</summary>
    public int Apply() => Raw.SeccompFilter(_program, _flags);
}
