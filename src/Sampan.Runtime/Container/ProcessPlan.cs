using System.Runtime.InteropServices;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>Everything about the program itself that the child needs: identity, rights, limits, arguments; prepared before the fork.</summary>
internal sealed class ProcessPlan
{
    private static readonly string[] RlimitNames =
    [
        "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
    ];

    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private readonly uint _uid, _gid, _umask;
    private readonly NativeBlock _groups;
    private readonly ulong _bounding, _effective, _permitted, _inheritable, _ambient;
    private readonly int _lastCapability;
    private readonly (int Resource, ulong Soft, ulong Hard)[] _rlimits;
    private readonly CString _oomScore;
    private readonly bool _noNewPrivileges;
    private readonly NativeBlock? _seccomp;
    private readonly CString _cwd;
    private readonly CString[] _candidates;
    private readonly CStringArray _argv, _envp;

    public ProcessPlan(Process process, Seccomp? seccomp)
    {
        if (process.Args.Count == 0)
        {
            throw new ContainerSetupException(SetupStep.Exec, "", Errno.ENOENT);
        }

        (_uid, _gid, _umask) = (process.User.Uid, process.User.Gid, process.User.Umask ?? 0x12);
        _groups = new NativeBlock(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(process.User.AdditionalGids ?? [])));
        var caps = process.Capabilities ?? new Capabilities();
        (_bounding, _effective, _permitted) = (CapabilityNames.Mask(caps.Bounding), CapabilityNames.Mask(caps.Effective), CapabilityNames.Mask(caps.Permitted));
        (_inheritable, _ambient) = (CapabilityNames.Mask(caps.Inheritable), CapabilityNames.Mask(caps.Ambient));
        _lastCapability = int.Parse(File.ReadAllText("/proc/sys/kernel/cap_last_cap"), System.Globalization.CultureInfo.InvariantCulture);
        _rlimits = [.. (process.Rlimits ?? []).Select(r => (RlimitNumber(r.Type), r.Soft, r.Hard))];
        _oomScore = process.OomScoreAdj is { } score ? CString.Of(score.ToString(System.Globalization.CultureInfo.InvariantCulture)) : default;
        _noNewPrivileges = process.NoNewPrivileges;
        _seccomp = seccomp is null ? null : new NativeBlock(MemoryMarshal.AsBytes<ulong>(SeccompCompiler.Compile(seccomp)));
        _cwd = CString.Of(process.Cwd);
        _candidates = [.. Candidates(process).Select(c => CString.Of(c))];
        (_argv, _envp) = (new CStringArray(process.Args), new CStringArray(process.Env));
        Command = process.Args[0];
        Cwd = process.Cwd;
        RlimitsText = string.Join(", ", (process.Rlimits ?? []).Select(r => $"{r.Type}={r.Soft}:{r.Hard}"));
    }

    public string Command { get; }

    public string Cwd { get; }

    public string RlimitsText { get; }

    /// <summary>In the child: limits that need rights which are about to go. 0 or a failed step with errno.</summary>
    public (SetupStep, int) ApplyLimits(CString oomScoreFile)
    {
        if (!_oomScore.IsNull)
        {
            var fd = Raw.Openat2(Raw.AT_FDCWD, oomScoreFile, Raw.O_WRONLY | Raw.O_CLOEXEC, 0, 0);
            var written = fd < 0 ? fd : Raw.Write(fd, _oomScore.Span);
            if (fd >= 0)
            {
                Raw.Close(fd);
            }

            if (written < 0)
            {
                return (SetupStep.OomScore, -written);
            }
        }

        foreach (var (resource, soft, hard) in _rlimits)
        {
            var result = Raw.Setrlimit(resource, soft, hard);
            if (result < 0)
            {
                return (SetupStep.Rlimit, -result);
            }
        }

        return default;
    }

    /// <summary>In the child, last: rights, identity, directory, filter, execve. Comes back only on failure.</summary>
    public (SetupStep, int) Execute()
    {
        int result;

        // Without no_new_privs a filter needs CAP_SYS_ADMIN, so it goes on while that is there, before the rights are dropped.
        if (!_noNewPrivileges && _seccomp is { } early && (result = Raw.SeccompFilter(early, 0)) < 0)
        {
            return (SetupStep.Seccomp, -result);
        }

        for (var capability = 0; capability <= _lastCapability; capability++)
        {
            if ((_bounding >> capability & 1) == 0 && (result = Raw.Prctl(Raw.PR_CAPBSET_DROP, capability)) < 0)
            {
                return (SetupStep.Capabilities, -result);
            }
        }

        Raw.Prctl(Raw.PR_SET_KEEPCAPS, 1);
        if ((result = Raw.Setgroups(_groups)) < 0 || (result = Raw.Setresgid(_gid)) < 0 || (result = Raw.Setresuid(_uid)) < 0)
        {
            return (SetupStep.User, -result);
        }

        Raw.Prctl(Raw.PR_SET_KEEPCAPS, 0);
        Raw.Umask(_umask);

        // A directory that only the user, or only root's rights, may enter: tried before they are dropped and the user's own afterwards.
        var entered = Raw.Chdir(_cwd);
        if ((result = Raw.Capset(_effective, _permitted, _inheritable)) < 0)
        {
            return (SetupStep.Capabilities, -result);
        }

        for (var capability = 0; capability <= _lastCapability; capability++)
        {
            if ((_ambient >> capability & 1) != 0 && (result = Raw.Prctl(Raw.PR_CAP_AMBIENT, 2, capability)) < 0)
            {
                return (SetupStep.Capabilities, -result);
            }
        }

        if (entered < 0 && (entered = Raw.Chdir(_cwd)) < 0)
        {
            return (SetupStep.Cwd, -entered);
        }

        if (_noNewPrivileges)
        {
            Raw.Prctl(Raw.PR_SET_NO_NEW_PRIVS, 1);
            if (_seccomp is { } late && (result = Raw.SeccompFilter(late, 0)) < 0)
            {
                return (SetupStep.Seccomp, -result);
            }
        }

        Raw.ResetSignals();
        var errno = Errno.ENOENT;
        foreach (var candidate in _candidates)
        {
            result = -Raw.Execve(candidate, _argv, _envp);
            if (result is not Errno.ENOENT and not Errno.ENOTDIR)
            {
                errno = result;
                if (result != Errno.EACCES)
                {
                    break;
                }
            }
        }

        return (SetupStep.Exec, errno);
    }

    /// <summary>The paths to try: the command itself when it has a slash, else below each directory of the container's PATH.</summary>
    private static IEnumerable<string> Candidates(Process process)
    {
        var command = process.Args[0];
        if (command.Contains('/'))
        {
            return [command];
        }

        var path = process.Env.FindLast(e => e.StartsWith("PATH=", StringComparison.Ordinal)) is { } variable ? variable[5..] : DefaultPath;
        return command.Length == 0 ? [] : path.Split(':').Select(d => (d.Length == 0 ? "." : d) + "/" + command);
    }

    private static int RlimitNumber(string name)
    {
        var number = Array.IndexOf(RlimitNames, name);
        return number >= 0 ? number : throw new ArgumentException($"unknown resource limit \"{name}\"");
    }
}
