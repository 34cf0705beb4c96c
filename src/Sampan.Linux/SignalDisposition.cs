using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>signal(2): what a signal does to the calling process.</summary>
public static partial class SignalDisposition
{
    public const int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGKILL = 9, SIGPIPE = 13, SIGTERM = 15;

    private const nint SIG_IGN = 1;

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint SetHandler(int signal, nint handler);

    /// <summary>Ignores a signal; children inherit that until they reset it (<see cref="Raw.ResetSignals"/>).</summary>
    public static void Ignore(int signal) => _ = SetHandler(signal, SIG_IGN);
}
