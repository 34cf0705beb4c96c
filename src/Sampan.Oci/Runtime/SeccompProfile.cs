using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>
/// A policy as Docker's users write it (<c>--security-opt seccomp=FILE</c>): the runtime-spec's section, whose rules may also depend on the
/// container's capabilities, the architecture and the kernel.
/// </summary>
public sealed record SeccompProfile
{
    public string DefaultAction { get; init; } = "";

    public uint? DefaultErrnoRet { get; init; }

    public List<string>? Architectures { get; init; }

    public List<SeccompArchitecture>? ArchMap { get; init; }

    public List<string>? Flags { get; init; }

    public List<SeccompProfileRule>? Syscalls { get; init; }
}

/// <summary>A machine's own calls, and those of its other modes.</summary>
public sealed record SeccompArchitecture(string Architecture, List<string>? SubArchitectures);

/// <summary>A rule, and when it holds.</summary>
public sealed record SeccompProfileRule
{
    /// <summary>A single name, as profiles of old have it.</summary>
    public string? Name { get; init; }

    public List<string>? Names { get; init; }

    public string Action { get; init; } = "";

    public uint? ErrnoRet { get; init; }

    public List<SeccompArgument>? Args { get; init; }

    /// <summary>The rule holds where all of this is so.</summary>
    public SeccompCondition? Includes { get; init; }

    /// <summary>The rule does not hold where any of this is so.</summary>
    public SeccompCondition? Excludes { get; init; }
}

/// <summary>Capabilities of the container, architectures by Go's names, a kernel as <c>4.8</c>.</summary>
public sealed record SeccompCondition
{
    public List<string>? Caps { get; init; }

    public List<string>? Arches { get; init; }

    [JsonPropertyName("minKernel")]
    public string? MinKernel { get; init; }
}
