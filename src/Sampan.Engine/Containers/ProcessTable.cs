using System.Diagnostics;
using System.Globalization;
using System.Text;
using Sampan.Api;

namespace Sampan.Engine.Containers;

/// <summary>
/// <c>top</c>: the processes of a container as <c>ps</c> would list them. The default columns are read from /proc (proc(5)); other
/// arguments go to the host's ps, as dockerd does with all.
/// </summary>
internal static class ProcessTable
{
    /// <summary>USER_HZ: the unit of the times in /proc/PID/stat; 100 on every Linux architecture.</summary>
    private const int TicksPerSecond = 100;

    private static readonly TimeSpan PsTimeout = TimeSpan.FromSeconds(10);

    public static async Task<TopResponse> ReadAsync(IReadOnlyList<int> pids, string psArguments, CancellationToken cancel) =>
        psArguments.Trim() is "" or "-ef"
            ? new TopResponse { Titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], Processes = FullFormat(pids) }
            : await FromPsAsync(pids, psArguments, cancel);

    private static List<List<string>> FullFormat(IReadOnlyList<int> pids)
    {
        var users = UserNames();
        var uptime = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture);
        var rows = new List<List<string>>();
        foreach (var pid in pids.Order())
        {
            try
            {
                rows.Add(Row(pid, users, uptime));
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException || e is IOException { HResult: 3 })
            {
                // It ended between being listed and being read: it is not a process of the container any more.
            }
        }

        return rows;
    }

    private static List<string> Row(int pid, Dictionary<string, string> users, double uptime)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");

        // The name is in parentheses and may hold anything: the fields start after the last one.
        var name = stat[(stat.IndexOf('(') + 1)..stat.LastIndexOf(')')];
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        var started = long.Parse(fields[19], CultureInfo.InvariantCulture) / (double)TicksPerSecond;
        var age = Math.Max(uptime - started, 0.01);
        var cpu = TimeSpan.FromSeconds(ticks / TicksPerSecond);
        var command = Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/cmdline")).TrimEnd('\0').Replace('\0', ' ');
        var uid = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1];
        var start = DateTime.Now - TimeSpan.FromSeconds(age);
        return
        [
            users.GetValueOrDefault(uid, uid),
            pid.ToString(CultureInfo.InvariantCulture),
            fields[1],
            Math.Min(99, (int)(ticks / (double)TicksPerSecond / age * 100)).ToString(CultureInfo.InvariantCulture),
            start.Date == DateTime.Now.Date ? start.ToString("HH:mm", CultureInfo.InvariantCulture) : start.ToString("MMMdd", CultureInfo.InvariantCulture),
            Terminal(int.Parse(fields[4], CultureInfo.InvariantCulture)),
            $"{(int)cpu.TotalHours:00}:{cpu.Minutes:00}:{cpu.Seconds:00}",
            command.Length > 0 ? command : $"[{name}]",
        ];
    }

    /// <summary>The terminal's name from its device number (tty_nr of proc(5)): pts 136–143, consoles 4.</summary>
    private static string Terminal(int device)
    {
        var (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
        return major switch
        {
            >= 136 and <= 143 => $"pts/{((major - 136) << 8) + minor}",
            4 => $"tty{minor}",
            _ => "?",
        };
    }

    private static Dictionary<string, string> UserNames()
    {
        var names = new Dictionary<string, string>();
        foreach (var line in File.Exists("/etc/passwd") ? File.ReadLines("/etc/passwd") : [])
        {
            var fields = line.Split(':');
            if (fields.Length > 2)
            {
                names.TryAdd(fields[2], fields[0]);
            }
        }

        return names;
    }

    private static async Task<TopResponse> FromPsAsync(IReadOnlyList<int> pids, string arguments, CancellationToken cancel)
    {
        var start = new ProcessStartInfo("ps") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            start.ArgumentList.Add(argument);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(PsTimeout);
        using var ps = Process.Start(start) ?? throw new EngineException(ErrorKind.System, "error running ps: no process");
        var errors = ps.StandardError.ReadToEndAsync(deadline.Token);
        var lines = (await ps.StandardOutput.ReadToEndAsync(deadline.Token)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await ps.WaitForExitAsync(deadline.Token);
        if (ps.ExitCode != 0 || lines.Length == 0)
        {
            throw EngineException.Invalid($"error running ps: {(await errors).Trim()}");
        }

        var titles = lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var column = Array.IndexOf(titles, "PID");
        if (column < 0)
        {
            throw EngineException.Invalid("couldn't find PID field in ps output");
        }

        var rows = new List<List<string>>();
        foreach (var line in lines.Skip(1))
        {
            // The last column may hold blanks.
            var fields = line.Split((char[]?)null, titles.Length, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > column && int.TryParse(fields[column], CultureInfo.InvariantCulture, out var pid) && pids.Contains(pid))
            {
                rows.Add([.. fields]);
            }
        }

        return new TopResponse { Titles = [.. titles], Processes = rows };
    }
}
