using Sampan.Daemon;
using Sampan.Engine;
using Sampan.Runtime;

namespace Sampan.Cli;

/// <summary>The one binary: by its first argument it is the command line, the daemon or a container's monitor.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        // First, and touching nothing else: a monitor lives as long as its container and must stay small and single-threaded.
        if (args is ["monitor", var runDirectory])
        {
            return MonitorProcess.Run(runDirectory);
        }

        return args is ["daemon", ..] ? DaemonProgram.Run(args[1..], EngineService.OpenAsync) : Client.Run(args);
    }
}
