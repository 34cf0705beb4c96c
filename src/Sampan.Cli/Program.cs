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

        if (args is ["daemon", ..])
        {
            return DaemonProgram.Run(args[1..], EngineService.OpenAsync);
        }

        Console.Error.WriteLine("sampan: the command line has no commands yet but \"daemon\"; use docker with DOCKER_HOST set to the daemon's socket");
        return 1;
    }
}
