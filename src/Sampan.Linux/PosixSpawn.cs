using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>posix_spawn(3): a new process from one with many threads, without a fork into managed code.</summary>
public static unsafe partial class PosixSpawn
{
    private const short POSIX_SPAWN_SETSIGDEF = 0x04, POSIX_SPAWN_SETSIGMASK = 0x08, POSIX_SPAWN_SETSID = 0x80;

    /// <summary>Room for glibc's opaque structures: the file actions have 80 bytes, the attributes 336, a signal set 128.</summary>
    private const int OpaqueLength = 512, SignalSetLength = 128;

    private const int O_RDWR = 2;

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int posix_spawn(out int pid, string path, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int posix_spawn_file_actions_addopen(void* actions, int fd, string path, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(void* actions, int from, int to);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addclosefrom_np(void* actions, int from);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigmask(void* attributes, void* set);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigdefault(void* attributes, void* set);

    /// <summary>
    /// Starts a program in a session of its own, with /dev/null as standard input, output and error, default signals, and exactly one more
    /// descriptor.
    /// </summary>
    /// <param name="path">The executable; <c>/proc/self/exe</c> is the caller's own, even when its file was replaced.</param>
    /// <param name="passed">A descriptor of the caller, which becomes number 3.</param>
    /// <returns>The pid; the caller reaps it.</returns>
    /// <exception cref="SyscallException">It could not be started.</exception>
    public static int StartSession(string path, IReadOnlyList<string> argv, IReadOnlyList<string> envp, int passed)
    {
        var actions = stackalloc byte[OpaqueLength];
        var attributes = stackalloc byte[OpaqueLength];
        var all = stackalloc byte[SignalSetLength];
        var none = stackalloc byte[SignalSetLength];
        new Span<byte>(all, SignalSetLength).Fill(0xff);
        new Span<byte>(none, SignalSetLength).Clear();
        using var arguments = new NativeStrings(argv);
        using var environment = new NativeStrings(envp);
        posix_spawn_file_actions_init(actions);
        posix_spawnattr_init(attributes);
        try
        {
            // dup2 first: `passed` may be below 3 only if the caller has no standard streams, which .NET sees to that it has.
            Check("posix_spawn_file_actions", posix_spawn_file_actions_adddup2(actions, passed, 3));
            for (var fd = 0; fd < 3; fd++)
            {
                Check("posix_spawn_file_actions", posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0));
            }

            // Not every library of a .NET process opens close-on-exec; nothing of the caller may leak into a process that outlives it.
            Check("posix_spawn_file_actions", posix_spawn_file_actions_addclosefrom_np(actions, 4));
            Check("posix_spawnattr", posix_spawnattr_setsigdefault(attributes, all));
            Check("posix_spawnattr", posix_spawnattr_setsigmask(attributes, none));
            Check("posix_spawnattr", posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID));
            Check("posix_spawn", posix_spawn(out var pid, path, actions, attributes, arguments.Pointer, environment.Pointer), path);
            return pid;
        }
        finally
        {
            posix_spawnattr_destroy(attributes);
            posix_spawn_file_actions_destroy(actions);
        }
    }

    private static void Check(string call, int errno, string subject = "")
    {
        if (errno != 0)
        {
            throw new SyscallException(call, $"'{subject}'", errno);
        }
    }

    /// <summary>A NULL-terminated array of strings that is freed again: the daemon spawns many.</summary>
    private readonly ref struct NativeStrings
    {
        private readonly int _count;

        public NativeStrings(IReadOnlyList<string> strings)
        {
            _count = strings.Count;
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)_count + 1, (nuint)sizeof(byte*));
            for (var i = 0; i < _count; i++)
            {
                var bytes = Bytes.FromText(strings[i]);
                Pointer[i] = (byte*)NativeMemory.AllocZeroed((nuint)bytes.Length + 1);
                bytes.CopyTo(new Span<byte>(Pointer[i], bytes.Length));
            }
        }

        public byte** Pointer { get; }

        public void Dispose()
        {
            for (var i = 0; i < _count; i++)
            {
                NativeMemory.Free(Pointer[i]);
            }

            NativeMemory.Free(Pointer);
        }
    }
}
