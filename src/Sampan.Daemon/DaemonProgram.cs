using System.Diagnostics;
using System.Runtime.InteropServices;
using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Listening;
using Sampan.Daemon.Options;

namespace Sampan.Daemon;

/// <summary>Makes the engine the daemon serves. Errors of which the user is told throw; their message is printed in one line.</summary>
public delegate Task<IEngine> EngineFactory(DaemonOptions options, CancellationToken cancel);

/// <summary><c>sampan daemon</c>.</summary>
public static class DaemonProgram
{
    /// <summary>Sampan's version.</summary>
    public static string Version { get; } = typeof(DaemonProgram).Assembly.GetName().Version is { } v ? $"{v.Major}.{v.Minor}.{v.Build}" : "0.0.0";

    /// <summary>Runs the daemon until SIGTERM or SIGINT; returns the exit status.</summary>
    /// <param name="args">Without <c>daemon</c>.</param>
    public static int Run(string[] args, EngineFactory engine) => RunAsync(args, engine, Console.Out, Console.Error, CancellationToken.None).GetAwaiter().GetResult();

    /// <param name="stop">Does what SIGTERM does; for tests.</param>
    internal static async Task<int> RunAsync(string[] args, EngineFactory engine, TextWriter output, TextWriter error, CancellationToken stop)
    {
        try
        {
            var settings = Settings.Parse(args);
            if (settings.Help || settings.ShowVersion)
            {
                await output.WriteAsync(settings.Help ? Usage.Text : $"sampan daemon {Version}\n");
                return 0;
            }

            var config = DaemonConfig.From(settings);
            await ServeAsync(config, engine, new DaemonLog(error, config.Engine.Debug), stop);
            return 0;
        }
        catch (Exception e)
        {
            await error.WriteLineAsync($"failed to start daemon: {e.Message}");
            return 1;
        }
    }

    /// <summary>(1) pid file, (2) sockets, (3) engine, (4) server; then waits for a signal and undoes them. Containers stay as they are.</summary>
    private static async Task ServeAsync(DaemonConfig config, EngineFactory factory, DaemonLog log, CancellationToken asked)
    {
        using var stop = new StopSignals();
        await using var also = asked.Register(stop.Stop);
        using var pidFile = PidFile.Write(config.PidFile);
        using var listeners = Listeners.Open(config, log);
        await using var engine = await factory(config.Engine, stop.Token);
        await using var server = new ApiServer(engine, listeners.Sockets, log);
        await server.StartAsync(stop.Token);
        var took = (DateTime.Now - Process.GetCurrentProcess().StartTime).TotalMilliseconds;
        log.Info($"sampan {Version} listens on {string.Join(", ", config.Hosts)} ({took:F0} ms after its start, API {ApiVersions.Oldest} to {ApiVersions.Newest})");
        SystemdNotify.Ready();
        await stop.WaitAsync();
        log.Info("stopping; containers keep running");
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(config.Engine.ShutdownTimeoutSeconds));
        await server.StopAsync(deadline.Token);
    }

    /// <summary>SIGTERM and SIGINT end the daemon; SIGHUP does not.</summary>
    private sealed class StopSignals : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly List<PosixSignalRegistration> _registrations = [];

        public StopSignals()
        {
            foreach (var signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP])
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    if (context.Signal != PosixSignal.SIGHUP)
                    {
                        Stop();
                    }
                }));
            }
        }

        public CancellationToken Token => _stop.Token;

        public Task WaitAsync() => _asked.Task;

        public void Stop()
        {
            _asked.TrySetResult();
            _stop.Cancel();
        }

        public void Dispose()
        {
            _registrations.ForEach(r => r.Dispose());
            _stop.Dispose();
        }
    }
}
