using System.Text;
using Sampan.Linux;

namespace Sampan.Build.Sources;

/// <summary>
/// Runs <c>git</c>: with no configuration but ours, no hooks, no prompts, and only the protocols that fetch from other machines. The
/// repository may be anybody's.
/// </summary>
/// <param name="home">A directory for what git and ssh keep; nothing of it is used again.</param>
/// <param name="sshAgent">The socket of an agent for ssh; null for none.</param>
internal sealed class GitProgram(string home, string? sshAgent)
{
    private const int MaxOutputBytes = 16 << 20;
    private const int MaxTailChars = 2000;
    private const int SIGKILL = 9;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);

    private int _count;

    /// <summary>Runs a command to its end and gives what it wrote.</summary>
    /// <exception cref="BuildException">git is not installed, failed, or took too long; with its last words.</exception>
    public async Task<string> RunAsync(IReadOnlyList<string> arguments, TimeSpan limit, CancellationToken cancel)
    {
        var (code, output) = await TryAsync(arguments, limit, cancel);
        return code == 0 ? output : throw new BuildException(
            BuildErrorKind.InvalidInput, $"git {Verb(arguments)} failed with exit status {code}: {Tail(output)}");
    }

    /// <summary>As <see cref="RunAsync"/>, but a failure is the caller's to judge.</summary>
    public async Task<(int ExitCode, string Output)> TryAsync(IReadOnlyList<string> arguments, TimeSpan limit, CancellationToken cancel)
    {
        var log = Path.Combine(home, $"output-{_count++}");
        var pid = PosixSpawn.Start(
            Find(),
            ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "core.symlinks=true", "-c", "gc.auto=0",
                "-c", "advice.detachedHead=false", "-c", "init.defaultBranch=main", .. arguments],
            Environment(), statusFd: -1, log);
        var deadline = DateTime.UtcNow + limit;
        var pause = TimeSpan.FromMilliseconds(2);
        int status;
        while (Raw.Wait(pid, noHang: true, out status) == 0)
        {
            if (cancel.IsCancellationRequested || DateTime.UtcNow > deadline)
            {
                // It leads a session of its own, so that its helpers end with it.
                Raw.Kill(-pid, SIGKILL);
                Raw.Wait(pid, noHang: false, out _);
                cancel.ThrowIfCancellationRequested();
                throw new BuildException(BuildErrorKind.InvalidInput,
                    $"git {Verb(arguments)} took longer than {limit.TotalMinutes} minutes");
            }

            await Task.Delay(pause, CancellationToken.None);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }

        return ((status & 0x7F) == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F), Read(log));
    }

    private static string Find()
    {
        foreach (var directory in (System.Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").Split(':'))
        {
            var path = Path.Combine(directory, "git");
            if (directory.StartsWith('/') && File.Exists(path))
            {
                return path;
            }
        }

        throw new BuildException(
            BuildErrorKind.InvalidInput,
            "a git repository needs the program 'git' on the daemon's machine, and there is none in its PATH: install it there "
            + "(apt-get install git)");
    }

    private List<string> Environment()
    {
        List<string> environment =
        [
            $"PATH={System.Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"}", $"HOME={home}", "LC_ALL=C",
            "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "SSH_ASKPASS=true", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
            "GIT_ALLOW_PROTOCOL=http:https:git:ssh", "GIT_LFS_SKIP_SMUDGE=1",
            $"GIT_SSH_COMMAND=ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={home}/known_hosts",
        ];
        environment.AddRange(sshAgent is null ? [] : [$"SSH_AUTH_SOCK={sshAgent}"]);
        foreach (var name in Planning.Scope.ProxyNames)
        {
            environment.AddRange(System.Environment.GetEnvironmentVariable(name) is { } value ? [$"{name}={value}"] : []);
        }

        return environment;
    }

    private static string Read(string path)
    {
        using var file = File.OpenRead(path);
        var bytes = new byte[Math.Min(file.Length, MaxOutputBytes)];
        file.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private static string Verb(IReadOnlyList<string> arguments) => arguments[0] == "-C" ? arguments[2] : arguments[0];

    private static string Tail(string output)
    {
        var text = output.Trim();
        return text.Length <= MaxTailChars ? text : "…" + text[^MaxTailChars..];
    }
}
