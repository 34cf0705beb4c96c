namespace Sampan.Dockerfile;

/// <summary>A Dockerfile (or an ignore file) says something that cannot be understood. Knows where.</summary>
public sealed class DockerfileException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The file's name as in messages; null when the file as a whole is meant.</summary>
    public string? FileName { get; init; }

    /// <summary>The lines of the instruction.</summary>
    public LineRange? Lines { get; init; }

    /// <summary>These lines and their neighbours, ready to be shown.</summary>
    public string? Excerpt { get; init; }

    /// <summary>The message led by file and line, as in <c>Dockerfile:3: unknown instruction: RNU</c>; one line.</summary>
    public string LocatedMessage => FileName is null ? Message
        : Lines is { } lines ? $"{FileName}:{lines.Start}: {Message}" : $"{FileName}: {Message}";
}
