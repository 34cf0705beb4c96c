using Sampan.Dockerfile.Parsing;

namespace Sampan.Dockerfile.Instructions;

/// <summary>An instruction that has been understood, before variables are expanded.</summary>
/// <param name="Node">Where and how it is written.</param>
public abstract record Instruction(Node Node)
{
    /// <summary>The name in capitals, e.g. <c>COPY</c>.</summary>
    public string Keyword => Node.Keyword.ToUpperInvariant();
}

/// <summary>A name and a value; the value is null where a name may stand alone (ARG).</summary>
public readonly record struct NameValue(string Name, string? Value);

/// <summary>A command in shell form (one string for the shell) or exec form (the arguments).</summary>
public sealed record CommandLine(IReadOnlyList<string> Words, bool IsShellForm);

public sealed record FromInstruction(Node Node, string Image, string? Platform, string? StageName) : Instruction(Node);

public sealed record ArgInstruction(Node Node, IReadOnlyList<NameValue> Args) : Instruction(Node);

public sealed record EnvInstruction(Node Node, IReadOnlyList<NameValue> Pairs) : Instruction(Node);

public sealed record LabelInstruction(Node Node, IReadOnlyList<NameValue> Pairs) : Instruction(Node);

public sealed record MaintainerInstruction(Node Node, string Author) : Instruction(Node);

/// <param name="Network">default, none or host.</param>
/// <param name="Security">sandbox or insecure.</param>
public sealed record RunInstruction(Node Node, CommandLine Command, IReadOnlyList<MountOptions> Mounts, string Network, string Security)
    : Instruction(Node);

public sealed record CmdInstruction(Node Node, CommandLine Command) : Instruction(Node);

public sealed record EntrypointInstruction(Node Node, CommandLine Command) : Instruction(Node);

/// <summary>A file given in the Dockerfile itself.</summary>
/// <param name="Path">Its name: the heredoc's.</param>
public sealed record InlineFile(string Path, string Content, bool Expand);

/// <summary>What COPY and ADD share.</summary>
/// <param name="Sources">Paths as written, heredocs left out.</param>
/// <param name="InlineFiles">The heredocs among the sources.</param>
public abstract record TransferInstruction(Node Node, IReadOnlyList<string> Sources, IReadOnlyList<InlineFile> InlineFiles, string Destination)
    : Instruction(Node)
{
    public string? Chown { get; init; }

    public string? Chmod { get; init; }

    public bool Link { get; init; }

    public IReadOnlyList<string> Exclude { get; init; } = [];
}

public sealed record CopyInstruction(Node Node, IReadOnlyList<string> Sources, IReadOnlyList<InlineFile> InlineFiles, string Destination)
    : TransferInstruction(Node, Sources, InlineFiles, Destination)
{
    /// <summary>A stage's name or number, or an image.</summary>
    public string? From { get; init; }

    public bool Parents { get; init; }
}

public sealed record AddInstruction(Node Node, IReadOnlyList<string> Sources, IReadOnlyList<InlineFile> InlineFiles, string Destination)
    : TransferInstruction(Node, Sources, InlineFiles, Destination)
{
    public string? Checksum { get; init; }

    public bool KeepGitDir { get; init; }

    /// <summary>Null: local archives are unpacked, downloaded ones are not.</summary>
    public bool? Unpack { get; init; }
}

/// <param name="Test">["NONE"], ["CMD", …] or ["CMD-SHELL", text].</param>
public sealed record HealthcheckInstruction(Node Node, IReadOnlyList<string> Test) : Instruction(Node)
{
    public TimeSpan? Interval { get; init; }

    public TimeSpan? Timeout { get; init; }

    public TimeSpan? StartPeriod { get; init; }

    public TimeSpan? StartInterval { get; init; }

    public int? Retries { get; init; }
}

/// <param name="Expression">The trigger's text, as it goes into the image.</param>
public sealed record OnbuildInstruction(Node Node, string Expression, Instruction Trigger) : Instruction(Node);

public sealed record WorkdirInstruction(Node Node, string Path) : Instruction(Node);

public sealed record UserInstruction(Node Node, string User) : Instruction(Node);

public sealed record VolumeInstruction(Node Node, IReadOnlyList<string> Paths) : Instruction(Node);

public sealed record ExposeInstruction(Node Node, IReadOnlyList<string> Ports) : Instruction(Node);

public sealed record StopSignalInstruction(Node Node, string Signal) : Instruction(Node);

public sealed record ShellInstruction(Node Node, IReadOnlyList<string> Shell) : Instruction(Node);
