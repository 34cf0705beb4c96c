using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>
/// Calls for a forked child: no allocation, no exception; each gives 0 (or the result) or a negated errno, as the kernel itself does.
/// The numbers are x86-64's (asm/unistd_64.h) and arm64's (asm-generic/unistd.h).
/// </summary>
public static unsafe partial class Raw
{
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    private static nint Call(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0, nint f = 0)
    {
        nint result;
        int errno;
        do
        {
            result = Syscall(number, a, b, c, d, e, f);
            errno = result == -1 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (errno == Errno.EINTR);
        return errno == 0 ? result : -errno;
    }

    private static bool Arm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    private static nint P(CString s) => (nint)s.Pointer;

    /// <summary>The result of a call, whose strings live at least until here: only what refers to them keeps them.</summary>
    private static int Kept(nint result, CString a, CString b = default, CString c = default, CString d = default)
    {
        a.KeepAlive();
        b.KeepAlive();
        c.KeepAlive();
        d.KeepAlive();
        return (int)result;
    }

    /// <summary>clone3(2) without a stack of its own: a fork. 0 in the child.</summary>
    /// <param name="flags">CLONE_*, with CLONE_PIDFD added here.</param>
    /// <param name="pidfd">The new process's pidfd in the parent.</param>
    public static int Clone(ulong flags, out int pidfd)
    {
        int fd = -1;
        var args = stackalloc ulong[11];
        new Span<ulong>(args, 11).Clear();
        args[0] = flags | CLONE_PIDFD;
        args[1] = (ulong)&fd;
        args[4] = (flags & CLONE_PARENT) != 0 ? 0UL : SIGCHLD;
        var pid = (int)Call(435, (nint)args, 88);
        pidfd = fd;
        return pid;
    }

    public const ulong CLONE_NEWTIME = 0x80, CLONE_PIDFD = 0x1000, CLONE_PARENT = 0x8000, CLONE_NEWNS = 0x20000, CLONE_NEWCGROUP = 0x2000000,
        CLONE_NEWUTS = 0x4000000, CLONE_NEWIPC = 0x8000000, CLONE_NEWUSER = 0x10000000, CLONE_NEWPID = 0x20000000, CLONE_NEWNET = 0x40000000;

    public const ulong SIGCHLD = 17;

    public static int Unshare(ulong flags) => (int)Call(Arm ? 97 : 272, (nint)flags);

    public static int Setns(int fd, ulong flags) => (int)Call(Arm ? 268 : 308, fd, (nint)flags);

    public static int Mount(CString source, CString target, CString type, ulong flags, CString data) =>
        Kept(Call(Arm ? 40 : 165, P(source), P(target), P(type), (nint)flags, P(data)), source, target, type, data);

    public const ulong MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_REMOUNT = 32, MS_BIND = 4096, MS_REC = 16384,
        MS_UNBINDABLE = 1 << 17, MS_PRIVATE = 1 << 18, MS_SLAVE = 1 << 19, MS_SHARED = 1 << 20;

    public static int Umount(CString target, int flags) => Kept(Call(Arm ? 39 : 166, P(target), flags), target);

    public const int MNT_DETACH = 2;

    public static int PivotRoot(CString newRoot, CString putOld) => Kept(Call(Arm ? 41 : 155, P(newRoot), P(putOld)), newRoot, putOld);

    public static int Fsopen(CString type) => Kept(Call(430, P(type), 1), type);

    /// <summary>FSCONFIG_SET_STRING (1), FSCONFIG_SET_FLAG (0) where <paramref name="value"/> is null.</summary>
    public static int FsconfigSet(int fd, CString key, CString value) => Kept(Call(431, fd, value.IsNull ? 0 : 1, P(key), P(value), 0), key, value);

    /// <summary>FSCONFIG_CMD_CREATE.</summary>
    public static int FsconfigCreate(int fd) => (int)Call(431, fd, 6, 0, 0, 0);

    public static int Fsmount(int fd, ulong attributes) => (int)Call(432, fd, 1, (nint)attributes);

    /// <summary>A detached copy of a mount, or of the tree below when recursive (open_tree(2)).</summary>
    public static int OpenTree(int dirfd, CString path, bool recursive) =>
        Kept(Call(428, dirfd, P(path), 1 | 0x80000 | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)), path);

    /// <summary>Attaches a detached mount at what <paramref name="targetFd"/> refers to.</summary>
    public static int MoveMount(int mountFd, CString empty, int targetFd) => Kept(Call(429, mountFd, P(empty), targetFd, P(empty), 0x4 | 0x40), empty);

    public const ulong MOUNT_ATTR_RDONLY = 1, MOUNT_ATTR_NOSUID = 2, MOUNT_ATTR_NODEV = 4, MOUNT_ATTR_NOEXEC = 8, MOUNT_ATTR_NOATIME = 0x10,
        MOUNT_ATTR_STRICTATIME = 0x20, MOUNT_ATTR_ATIME = 0x70, MOUNT_ATTR_NODIRATIME = 0x80, MOUNT_ATTR_NOSYMFOLLOW = 0x200000;

    /// <summary>mount_setattr(2) on the mount that <paramref name="fd"/> is.</summary>
    public static int MountSetattr(int fd, CString empty, bool recursive, ulong set, ulong clear, ulong propagation)
    {
        var attr = stackalloc ulong[4] { set, clear, propagation, 0 };
        return Kept(Call(442, fd, P(empty), AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), (nint)attr, 32), empty);
    }

    public const int AT_FDCWD = -100, AT_EMPTY_PATH = 0x1000, AT_RECURSIVE = 0x8000, AT_SYMLINK_NOFOLLOW = 0x100;

    public const int O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_NOCTTY = 0x100, O_TRUNC = 0x200, O_NONBLOCK = 0x800,
        O_DIRECTORY = 0x10000, O_NOFOLLOW = 0x20000, O_CLOEXEC = 0x80000, O_PATH = 0x200000;

    public const ulong RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16;

    /// <summary>openat2(2): a path that cannot leave <paramref name="dirfd"/> when RESOLVE_IN_ROOT is given.</summary>
    public static int Openat2(int dirfd, CString path, int flags, uint mode, ulong resolve)
    {
        var how = stackalloc ulong[3] { (ulong)(uint)flags, mode, resolve };
        return Kept(Call(437, dirfd, P(path), (nint)how, 24), path);
    }

    public static int Mkdirat(int dirfd, CString path, uint mode) => Kept(Call(Arm ? 34 : 258, dirfd, P(path), (nint)mode), path);

    public static int Mknodat(int dirfd, CString path, uint mode, ulong device) => Kept(Call(Arm ? 33 : 259, dirfd, P(path), (nint)mode, (nint)device), path);

    public static int Symlinkat(CString target, int dirfd, CString path) => Kept(Call(Arm ? 36 : 266, P(target), dirfd, P(path)), target, path);

    public static int Fchownat(int dirfd, CString path, uint uid, uint gid, int flags) =>
        Kept(Call(Arm ? 54 : 260, dirfd, P(path), (nint)uid, (nint)gid, flags), path);

    public static int Fchmodat(int dirfd, CString path, uint mode) => Kept(Call(Arm ? 53 : 268, dirfd, P(path), (nint)mode), path);

    public static int Fchown(int fd, uint uid, uint gid) => (int)Call(Arm ? 55 : 93, fd, (nint)uid, (nint)gid);

    public static int Chdir(CString path) => Kept(Call(Arm ? 49 : 80, P(path)), path);

    public static int Fchdir(int fd) => (int)Call(Arm ? 50 : 81, fd);

    public static int Close(int fd) => (int)Call(Arm ? 57 : 3, fd);

    /// <summary>Closes, or marks close-on-exec, all descriptors from <paramref name="first"/> on.</summary>
    public static int CloseRange(uint first, bool onExec) => (int)Call(436, (nint)first, unchecked((nint)uint.MaxValue), onExec ? 4 : 0);

    /// <summary>dup3(2) without flags; also when both are the same descriptor, whose close-on-exec mark is then cleared.</summary>
    public static int Dup(int from, int to)
    {
        if (from != to)
        {
            return (int)Call(Arm ? 24 : 292, from, to, 0);
        }

        return (int)Call(Arm ? 25 : 72, from, 2, 0);
    }

    public static int Write(int fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data)
        {
            return (int)Call(Arm ? 64 : 1, fd, (nint)p, data.Length);
        }
    }

    public static int Read(int fd, Span<byte> data)
    {
        fixed (byte* p = data)
        {
            return (int)Call(Arm ? 63 : 0, fd, (nint)p, data.Length);
        }
    }

    public static int Setsid() => (int)Call(Arm ? 157 : 112);

    public static int Ioctl(int fd, uint request, nint argument) => (int)Call(Arm ? 29 : 16, fd, (nint)request, argument);

    public const uint TIOCSCTTY = 0x540E, TIOCSWINSZ = 0x5414, TIOCGWINSZ = 0x5413, TIOCGPTN = 0x80045430, TIOCSPTLCK = 0x40045431;

    /// <summary>Unlocks the pseudoterminal of a master and gives its number.</summary>
    public static int UnlockPty(int master, out int number)
    {
        int zero = 0, n = -1;
        var result = Ioctl(master, TIOCSPTLCK, (nint)(&zero));
        result = result < 0 ? result : Ioctl(master, TIOCGPTN, (nint)(&n));
        number = n;
        return result;
    }

    public static int SetWindowSize(int fd, int rows, int columns)
    {
        var size = stackalloc ushort[4] { (ushort)rows, (ushort)columns, 0, 0 };
        return Ioctl(fd, TIOCSWINSZ, (nint)size);
    }

    public static int Prctl(int option, nint a = 0, nint b = 0, nint c = 0, nint d = 0) => (int)Call(Arm ? 167 : 157, option, a, b, c, d);

    public const int PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, PR_SET_KEEPCAPS = 8, PR_SET_NAME = 15, PR_CAPBSET_DROP = 24, PR_SET_CHILD_SUBREAPER = 36,
        PR_SET_NO_NEW_PRIVS = 38, PR_CAP_AMBIENT = 47;

    /// <summary>capset(2), version 3, for the calling thread.</summary>
    public static int Capset(ulong effective, ulong permitted, ulong inheritable)
    {
        var header = stackalloc uint[2] { 0x20080522, 0 };
        var data = stackalloc uint[6]
        {
            (uint)effective, (uint)permitted, (uint)inheritable, (uint)(effective >> 32), (uint)(permitted >> 32), (uint)(inheritable >> 32),
        };
        return (int)Call(Arm ? 91 : 126, (nint)header, (nint)data);
    }

    public static int Setgroups(NativeBlock groups)
    {
        var result = (int)Call(Arm ? 159 : 116, groups.Length / 4, groups.Address);
        groups.KeepAlive();
        return result;
    }

    public static int Setresgid(uint id) => (int)Call(Arm ? 149 : 119, (nint)id, (nint)id, (nint)id);

    public static int Setresuid(uint id) => (int)Call(Arm ? 147 : 117, (nint)id, (nint)id, (nint)id);

    public static int Setrlimit(int resource, ulong soft, ulong hard)
    {
        var limit = stackalloc ulong[2] { soft, hard };
        return (int)Call(Arm ? 261 : 302, 0, resource, (nint)limit, 0);
    }

    public static int Umask(uint mask) => (int)Call(Arm ? 166 : 95, (nint)mask);

    public static int Sethostname(CString name) => Kept(Call(Arm ? 161 : 170, P(name), name.Span.Length), name);

    public static int Setdomainname(CString name) => Kept(Call(Arm ? 162 : 171, P(name), name.Span.Length), name);

    /// <summary>seccomp(2) SECCOMP_SET_MODE_FILTER with a BPF program of struct sock_filter (8 bytes each).</summary>
    public static int SeccompFilter(NativeBlock program, uint flags)
    {
        var prog = stackalloc nint[2];
        *(ushort*)prog = (ushort)(program.Length / 8);
        prog[1] = program.Address;
        var result = (int)Call(Arm ? 277 : 317, 1, (nint)flags, (nint)prog);
        program.KeepAlive();
        return result;
    }

    public static int Execve(CString path, CStringArray argv, CStringArray envp) => Kept(Call(Arm ? 221 : 59, P(path), (nint)argv.Pointer, (nint)envp.Pointer), path);

    /// <summary>Ends the process at once, without handlers.</summary>
    public static void Exit(int status) => Call(Arm ? 94 : 231, status);

    /// <summary>Gives every signal its default action and unblocks all: .NET ignores SIGPIPE, and ignored stays ignored over execve.</summary>
    public static void ResetSignals()
    {
        var action = stackalloc ulong[4] { 0, 0, 0, 0 };
        for (var signal = 1; signal <= 64; signal++)
        {
            Call(Arm ? 134 : 13, signal, (nint)action, 0, 8);
        }

        ulong none = 0;
        Call(Arm ? 135 : 14, 2, (nint)(&none), 0, 8);
    }

    /// <summary>wait4(2): the pid and its raw status; 0 when none is ready (WNOHANG).</summary>
    public static int Wait(int pid, bool noHang, out int status)
    {
        int s = 0;
        var result = (int)Call(Arm ? 260 : 61, pid, (nint)(&s), noHang ? 1 : 0, 0);
        status = s;
        return result;
    }

    public static int Kill(int pid, int signal) => (int)Call(Arm ? 129 : 62, pid, signal);

    public static int PidfdSendSignal(int pidfd, int signal) => (int)Call(424, pidfd, signal, 0, 0);

    public static int PidfdOpen(int pid) => (int)Call(434, pid, 0);

    /// <summary>A copy of another process's descriptor (pidfd_getfd(2)).</summary>
    public static int PidfdGetfd(int pidfd, int fd) => (int)Call(438, pidfd, fd, 0);

    public static int Getpid() => (int)Call(Arm ? 172 : 39);

    /// <summary>Blocks or unblocks signals of the calling thread; <paramref name="how"/> is SIG_BLOCK 0, SIG_UNBLOCK 1, SIG_SETMASK 2.</summary>
    public static int Sigprocmask(int how, ulong mask) => (int)Call(Arm ? 135 : 14, how, (nint)(&mask), 0, 8);

    /// <summary>Waits for one of the signals of a mask; gives its number.</summary>
    public static int Sigwait(ulong mask) => (int)Call(Arm ? 137 : 128, (nint)(&mask), 0, 0, 8);
}
