using System.Diagnostics;

namespace Sampan.Tests.Integration.Kit;

/// <summary>
/// A machine of the test's own for daemons: private namespaces for processes, network, mounts and host name on the real machine,
/// so that nothing a daemon does is seen outside and all of it is gone when the machine is. It ends with the test process, even
/// when that is killed, since its first process reads from a pipe that only the test process holds.
/// </summary>
public sealed class Machine : IDisposable
{
    private const string Setup = "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir -p /run/lock && hostname machine"
        + " && mount -t tmpfs tmpfs /var/lib/sampan";

    // PID 1 of the machine: `wait` reaps whatever daemons leave behind, until the input ends because the test process has died; then
    // it does what Dispose would have done.
    private const string Init = "exec 3<&0; { " + Setup + "; } || exit 1; cat <&3 >/dev/null & echo ready; wait $!;"
        + " kill -9 -1; rm -rf --one-file-system \"$0\"";

    private readonly Process _unshare;

    /// <summary>Makes the machine and waits until its first process runs.</summary>
    public Machine()
    {
        Directory.CreateDirectory("/var/lib/sampan");
        Folder = Directory.CreateTempSubdirectory("sampan-test-").FullName;
        var start = new ProcessStartInfo("unshare")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true, // unshare complains of a signal mask when it is killed; nobody needs to see that
            ArgumentList =
            {
                "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                "sh", "-c", Init, Folder,
            },
        };
        _unshare = Process.Start(start) ?? throw new InvalidOperationException("cannot start 'unshare'");
        if (_unshare.StandardOutput.ReadLine() != "ready")
            throw new InvalidOperationException($"the test's machine does not start: {_unshare.StandardError.ReadToEnd()}");
        FirstPid = ChildOf(_unshare.Id) ?? throw new InvalidOperationException("the test's machine has no first process");
    }

    /// <summary>The id, on the real machine, of the machine's first process.</summary>
    public int FirstPid { get; }

    /// <summary>A short-named folder that the machine and the test share; removed with the machine.</summary>
    public string Folder { get; }

    /// <summary>How to start a program inside the machine.</summary>
    public ProcessStartInfo Inside(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("nsenter");
        foreach (string word in (string[])["--target", $"{FirstPid}", "--mount", "--net", "--pid", "--uts", "--ipc", "--", program])
            start.ArgumentList.Add(word);
        foreach (string word in arguments)
            start.ArgumentList.Add(word);
        return start;
    }

    /// <summary>Runs a shell script inside the machine.</summary>
    public async Task<CommandResult> ShellAsync(string script, int timeoutSeconds = 60)
    {
        await using var running = new Running(Inside("sh", "-c", script));
        running.CloseInput();
        return await running.ResultAsync(timeoutSeconds);
    }

    /// <summary>The id on the real machine of the first child of <paramref name="pid"/>.</summary>
    internal static int? ChildOf(int pid)
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out int candidate) && ParentOf(candidate) == pid)
                return candidate;
        }
        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The end of PID 1 kills all others, and with the last process go the namespaces: mounts, interfaces, firewall rules.
        Native.Kill(FirstPid, Native.SIGKILL);
        _unshare.WaitForExit(10_000);
        _unshare.Dispose();
        RemoveCgroups();
        RemoveFolder();
    }

    private static int? ParentOf(int pid)
    {
        try
        {
            foreach (string line in File.ReadLines($"/proc/{pid}/status"))
            {
                if (line.StartsWith("PPid:", StringComparison.Ordinal))
                    return int.Parse(line.AsSpan(5));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process ended while we looked.
        }
        return null;
    }

    // The one thing that namespaces do not take along: the control groups of containers that still ran. Only those that bear the
    // id of a container of this machine's daemons are ours to remove.
    private void RemoveCgroups()
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (string containers in Directory.EnumerateDirectories(Folder, "containers", new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = 2,
            AttributesToSkip = FileAttributes.ReparsePoint,
        }))
        {
            foreach (string container in Directory.EnumerateDirectories(containers))
                ids.Add(Path.GetFileName(container));
        }
        if (ids.Count == 0)
            return;
        foreach (string cgroup in Cgroups.All().Where(path => ids.Any(id => path.Contains(id, StringComparison.Ordinal))))
            Cgroups.Remove(cgroup);
    }

    private void RemoveFolder()
    {
        // rm, not Directory.Delete: layers hold device nodes, names that are not UTF-8 and folders without permissions.
        using var rm = Process.Start("rm", ["-rf", "--one-file-system", Folder]);
        rm.WaitForExit();
    }
}
