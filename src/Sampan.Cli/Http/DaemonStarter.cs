using System.Collections;
using System.Diagnostics;
using System.Net.Sockets;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Http;

/// <summary>Starts the default daemon when it does not answer, so that <c>sampan run</c> is one step.</summary>
internal static class DaemonStarter
{
    private const string LogPath = "/var/log/sampan.log";
    private const int PatienceMs = 15_000;
    private const int StepMs = 5;
    private static readonly Lock Once = new();

    /// <summary>Starts a daemon in a session of its own and waits until it answers; false when we may not.</summary>
    /// <exception cref="NoDaemonException">It did not come up.</exception>
    public static bool Start()
    {
        lock (Once)
        {
            if (Answers()) return true;
            if (Environment.UserName != "root") return false;
            Terminal.Write(FdStream.StderrFd, System.Text.Encoding.UTF8.GetBytes($"sampan: no daemon at {DaemonAddress.Default.Text}, starting one (log: {LogPath})\n"));
            var executable = File.ResolveLinkTarget("/proc/self/exe", returnFinalTarget: true)?.FullName ?? "/proc/self/exe";
            var pid = PosixSpawn.Start(executable, [executable, "daemon"], Variables(), statusFd: -1, output: LogPath);
            Wait(pid);
            return true;
        }
    }

    private static void Wait(int pid)
    {
        var clock = Stopwatch.StartNew();
        while (!Answers())
        {
            if (Ended(pid)) throw new NoDaemonException($"the daemon ended while it started: {LastLine()}");
            if (clock.ElapsedMilliseconds > PatienceMs)
            {
                throw new NoDaemonException($"the daemon (pid {pid}) does not answer at {DaemonAddress.Default.Text} after {PatienceMs / 1000} s; see {LogPath}");
            }

            Thread.Sleep(StepMs);
        }
    }

    private static bool Answers()
    {
        try
        {
            DaemonSocket.Open(DaemonAddress.Default).Dispose();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Gone, or a zombie of ours.</summary>
    private static bool Ended(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('Z');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    private static string LastLine()
    {
        try
        {
            var lines = File.ReadAllLines(LogPath);
            return lines.Length > 0 ? lines[^1] : $"see {LogPath}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"see {LogPath} ({e.Message})";
        }
    }

    private static List<string> Variables()
    {
        var variables = new List<string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables()) variables.Add($"{variable.Key}={variable.Value}");
        return variables;
    }
}
