using System.Globalization;
using System.Runtime.InteropServices;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>Everything about the program itself that the child needs: identity, rights, limits, arguments; prepared before the fork.</summary>
internal sealed class ProcessPlan
{
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static readonly CString OomFile = CString.Of("/proc/self/oom_score_adj");

    private readonly Process _process;
    private readonly uint _uid, _gid, _umask;
    private readonly NativeBlock _groups;
    private readonly CapabilityPlan _capabilities;
    private readonly RlimitPlan _limits;
    private readonly CString _oomScore;
    private readonly SeccompFilter? _seccomp;
    private readonly CString _cwd;
    private readonly CString[] _candidates;
    private readonly bool _searched;
    private readonly CStringArray _argv, _envp;

    /// <exception cref="ContainerSetupException">There is nothing to execute.</exception>
    /// <exception cref="ArgumentException">The spec names a right or limit that does not exist.</exception>
    public ProcessPlan(Process process, SeccompFilter? seccomp, bool terminal)
    {
        if (process.Args is not { Count: > 0 })
        {
            throw new ContainerSetupException(SetupStep.Exec, "", Errno.ENOENT);
        }

        _process = process;
        HasTerminal = terminal;
        (_uid, _gid, _umask) = (process.User.Uid, process.User.Gid, process.User.Umask ?? 0x12); // 0022
        _groups = new NativeBlock(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(process.User.AdditionalGids ?? [])));
        _capabilities = new CapabilityPlan(process.Capabilities);
        _limits = new RlimitPlan(process.Rlimits ?? []);
        _oomScore = process.OomScoreAdj is { } score ? CString.Of(score.ToString(CultureInfo.InvariantCulture)) : default;
        _seccomp = seccomp;
        _cwd = CString.Of(process.Cwd);
        _searched = !process.Args[0].Contains('/');
        _candidates = [.. Candidates(process).Select(c => CString.Of(c))];
        (_argv, _envp) = (new CStringArray(process.Args), new CStringArray(process.Env ?? []));
    }

    /// <summary>Descriptor 0 is the session's terminal.</summary>
    public bool HasTerminal { get; }

    /// <summary>The subject of a failure, for people.</summary>
    public string Describe(SetupStep step, int index) => step switch
    {
        SetupStep.Exec => _process.Args[0],
        SetupStep.Cwd => $"'{_process.Cwd}'",
        SetupStep.Rlimit => _limits.Describe(index),
        SetupStep.OomScore => $"{_oomScore}",
        SetupStep.User => $"{_uid}:{_gid}",
        _ => "",
    };

    /// <summary>In the child, while /proc is the host's: 0 or a negated errno.</summary>
    public int ApplyOomScore()
    {
        if (_oomScore.IsNull)
        {
            return 0;
        }

        var fd = Raw.Openat2(Raw.AT_FDCWD, OomFile, Raw.O_WRONLY | Raw.O_CLOEXEC, 0, 0);
        var result = fd < 0 ? fd : Raw.Write(fd, _oomScore.Span);
        Raw.Close(fd);
        return result;
    }

    public int ApplyLimits(out int index) => _limits.Apply(out index);

    /// <summary>In the child: makes three descriptors 0, 1 and 2. None of them may be below 3.</summary>
    public int ConnectStreams(int stdin, int stdout, int stderr)
    {
        int result;
        return (result = ConnectStream(stdin, 0)) < 0 || (result = ConnectStream(stdout, 1)) < 0 ? result : ConnectStream(stderr, 2);
    }

    /// <summary>
    /// A stream belongs to the program's user, or /dev/stdout could not be opened by it. Not /dev/null, which is everybody's; what cannot
    /// change hands (a file on a read-only file system) stays as it is.
    /// </summary>
    private int ConnectStream(int from, int to)
    {
        var result = Raw.Dup(from, to);
        if (result >= 0 && _uid != 0 && Raw.Stat(to, out var mode, out var major, out var minor) >= 0
            && !((mode & Raw.S_IFMT) == Raw.S_IFCHR && major == 1 && minor == 3))
        {
            Raw.Fchown(to, _uid, uint.MaxValue);
        }

        return result;
    }

    /// <summary>In the child, last. Comes back only on failure.</summary>
    public (SetupStep Step, int Index, int Errno) Become()
    {
        var failure = TakeRights();
        return failure.Errno != 0 ? failure : Execute();
    }

    /// <summary>In the child: directory, user and rights of the program, and its filter.</summary>
    public (SetupStep Step, int Index, int Errno) TakeRights()
    {
        int result;

        // Without no_new_privs a filter needs CAP_SYS_ADMIN, so it goes on while that is there, before the rights are dropped.
        if (!_process.NoNewPrivileges && _seccomp is { } early && (result = early.Apply()) < 0)
        {
            return (SetupStep.Seccomp, 0, -result);
        }

        if ((result = _capabilities.DropBounding()) < 0)
        {
            return (SetupStep.Capabilities, 0, -result);
        }

        // First with root's rights: the program may start in a directory that its user could not enter. Root's rights may be the lesser
        // ones on a network file system, so a second try follows as the user.
        var entered = Raw.Chdir(_cwd);
        Raw.Prctl(Raw.PR_SET_KEEPCAPS, 1);
        if ((result = Raw.Setgroups(_groups)) < 0 || (result = Raw.Setresgid(_gid)) < 0 || (result = Raw.Setresuid(_uid)) < 0)
        {
            return (SetupStep.User, 0, -result);
        }

        Raw.Prctl(Raw.PR_SET_KEEPCAPS, 0);
        Raw.Umask(_umask);
        if ((entered < 0 && (entered = Raw.Chdir(_cwd)) < 0) || (entered = Raw.CheckCwd()) < 0)
        {
            return (SetupStep.Cwd, 0, -entered);
        }

        if ((result = _capabilities.Apply()) < 0)
        {
            return (SetupStep.Capabilities, 0, -result);
        }

        if (_process.NoNewPrivileges)
        {
            Raw.Prctl(Raw.PR_SET_NO_NEW_PRIVS, 1);
            if (_seccomp is { } late && (result = late.Apply()) < 0)
            {
                return (SetupStep.Seccomp, 0, -result);
            }
        }

        return default;
    }

    /// <summary>In the child: comes back only on failure.</summary>
    public (SetupStep Step, int Index, int Errno) Execute()
    {
        Raw.ResetSignals();
        foreach (var candidate in _candidates)
        {
            var errno = -Raw.Execve(candidate, _argv, _envp);

            // As Docker does: what is on PATH but may not be executed counts as not found.
            if (!_searched || errno is not Errno.ENOENT and not Errno.ENOTDIR and not Errno.EACCES)
            {
                return (SetupStep.Exec, 0, errno);
            }
        }

        return (SetupStep.Exec, 0, Errno.ENOENT);
    }

    /// <summary>The paths to try: the command itself when it has a slash, else below each directory of the container's PATH.</summary>
    private static IEnumerable<string> Candidates(Process process)
    {
        var command = process.Args[0];
        if (command.Contains('/'))
        {
            return [command];
        }

        var path = process.Env?.FindLast(e => e.StartsWith("PATH=", StringComparison.Ordinal)) is { } variable ? variable[5..] : DefaultPath;
        return command.Length == 0 ? [] : path.Split(':').Select(d => (d.Length == 0 ? "." : d) + "/" + command);
    }
}
