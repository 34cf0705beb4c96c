namespace Sampan.Linux;

/// <summary>Calls on the process itself; the conventions are those of <see cref="Raw"/>.</summary>
public static unsafe partial class Raw
{
    public const uint TIOCSPGRP = 0x5410;

    /// <summary>A fork by clone(2), which seccomp policies let through where they refuse clone3. 0 in the child.</summary>
    public static int Fork() => (int)(Arm ? Call(220, (nint)SIGCHLD) : Call(56, (nint)SIGCHLD));

    /// <summary>
    /// A session keyring of its own (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING), so that keys are not shared with the host's session. Kernels
    /// without keyrings have nothing to share.
    /// </summary>
    public static int JoinSessionKeyring() => (int)Call(Arm ? 219 : 250, 1, 0);

    /// <summary>The name of the calling thread, up to 15 bytes, as ps shows it.</summary>
    public static int SetName(CString name) => Prctl(PR_SET_NAME, P(name));

    public static int Setpgid(int pid, int group) => (int)Call(Arm ? 154 : 109, pid, group);

    /// <summary>Makes a process group the one in the terminal's foreground (tcsetpgrp(3)); SIGTTOU must be blocked.</summary>
    public static int SetForeground(int terminal, int group) => Ioctl(terminal, TIOCSPGRP, (nint)(&group));

    /// <summary>The limits of this process (prlimit(2)).</summary>
    public static int Getrlimit(int resource, out ulong soft, out ulong hard)
    {
        var limit = stackalloc ulong[2];
        var result = (int)Call(Arm ? 261 : 302, 0, resource, 0, (nint)limit);
        (soft, hard) = (limit[0], limit[1]);
        return result;
    }
}
