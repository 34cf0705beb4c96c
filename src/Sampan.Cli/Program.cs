using Sampan.Daemon;
using Sampan.Engine;
using Sampan.Network.Names;
using Sampan.Runtime;

namespace Sampan.Cli;

/// <summary>The one binary: by its first argument it is the command line, the daemon, a container's monitor or the containers' resolver.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        // First, and touching nothing else: a monitor lives as long as its container and must stay small and single-threaded.
        if (args is ["monitor", var runDirectory])
        {
            return MonitorProcess.Run(runDirectory);
        }

        if (args is ["resolver", var socketPath])
        {
            return ResolverProcess.Run(socketPath);
        }

        return args is ["daemon", ..] ? DaemonProgram.Run(args[1..], EngineService.OpenAsync) : Client.Run(args);
    }
}
