namespace Sampan.Runtime;

/// <summary>What a monitor needs to know beside the container's config.json; kept as monitor.json in the run directory.</summary>
public sealed record MonitorConfig
{
    /// <summary>The container's id, for messages and the process's arguments.</summary>
    public required string Id { get; init; }

    /// <summary>Where config.json is and monitor.json and monitor.sock are made; absolute, of any length.</summary>
    public required string RunDir { get; init; }

    /// <summary>The layers of the root file system; null when the bundle brings its own.</summary>
    public OverlayRootfs? Overlay { get; init; }

    /// <summary>One terminal instead of three pipes.</summary>
    public bool Terminal { get; init; }

    /// <summary>The initial size of the terminal; 0 leaves the kernel's.</summary>
    public int ConsoleWidth { get; init; }

    /// <inheritdoc cref="ConsoleWidth"/>
    public int ConsoleHeight { get; init; }

    /// <summary>Keep a pipe to standard input; without it the program reads /dev/null.</summary>
    public bool OpenStdin { get; init; }

    /// <summary>Close standard input when the first client that is attached to it half-closes or goes.</summary>
    public bool StdinOnce { get; init; }

    /// <summary><c>json-file</c> or <c>none</c>.</summary>
    public string LogDriver { get; init; } = "json-file";

    /// <summary>The log file; required by json-file.</summary>
    public string? LogPath { get; init; }

    /// <summary>Size in bytes at which the log is rotated; 0 or less is never.</summary>
    public long LogMaxBytes { get; init; }

    /// <summary>How many files are kept, the current one included; 1 or less truncates.</summary>
    public int LogMaxFiles { get; init; } = 1;

    /// <summary>The file that keeps the exit code; what an earlier run left there is removed at launch.</summary>
    public required string ExitPath { get; init; }

    public required string CgroupPath { get; init; }

    /// <summary>PID 1 is Sampan's own init.</summary>
    public bool Init { get; init; }

    /// <summary>Seconds after which an attached client that takes no byte at all is cut off, so that it cannot hold the container up forever.</summary>
    public int AttachStallSeconds { get; init; } = 3600;

    public const string FileName = "monitor.json", SocketName = "monitor.sock", SpecName = "config.json";
}
