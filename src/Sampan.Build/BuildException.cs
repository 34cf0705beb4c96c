using Sampan.Dockerfile;

namespace Sampan.Build;

/// <summary>What kind of failure a build met; the Engine's error classes follow from it.</summary>
public enum BuildErrorKind
{
    /// <summary>The Dockerfile, the context or the request is wrong.</summary>
    InvalidInput,

    /// <summary>An image or stage is missing.</summary>
    NotFound,

    /// <summary>A command gave an exit status other than 0.</summary>
    StepFailed,

    /// <summary>It is valid, but not built yet into Sampan.</summary>
    NotSupported,
}

/// <summary>A build failed. The message is Docker's where Docker has one; the place comes as fields.</summary>
public sealed class BuildException(BuildErrorKind kind, string message, Exception? cause = null) : Exception(Clip(message), cause)
{
    /// <summary>A message may quote a line of a megabyte; nobody reads more of it than its ends.</summary>
    private const int MaxChars = 2000;

    public BuildErrorKind Kind { get; } = kind;

    /// <summary>The Dockerfile's name.</summary>
    public string? FileName { get; init; }

    public LineRange? Lines { get; init; }

    /// <summary>The Dockerfile's lines around the instruction, marked.</summary>
    public string? Excerpt { get; init; }

    /// <summary>The instruction as written.</summary>
    public string? Instruction { get; init; }

    /// <summary>The command's exit status, when it ran.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The last lines that the command wrote.</summary>
    public string? OutputTail { get; init; }

    /// <summary>The message led by file and line; one line.</summary>
    public string LocatedMessage => Lines is { } lines ? $"{FileName}:{lines.Start}: {Message}" : Message;

    private static string Clip(string message) => message.Length <= MaxChars ? message : $"{message[..(MaxChars / 2)]} […] {message[^(MaxChars / 2)..]}";

    internal static BuildException Of(DockerfileException e) => new(BuildErrorKind.InvalidInput, e.Message, e)
    {
        FileName = e.FileName,
        Lines = e.Lines,
        Excerpt = e.Excerpt,
    };
}
