using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>posix_spawn(3): the only way in which the daemon, which has many threads, starts a process.</summary>
public static unsafe partial class PosixSpawn
{
    private const short POSIX_SPAWN_SETSIGDEF = 4, POSIX_SPAWN_SETSIGMASK = 8, POSIX_SPAWN_SETSID = 0x80;

    [LibraryImport("libc", EntryPoint = "posix_spawn")]
    private static partial int Spawn(int* pid, byte* path, byte* actions, byte* attributes, byte** argv, byte** envp);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int ActionsInit(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int ActionsDestroy(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int ActionsDup2(byte* actions, int from, int to);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen")]
    private static partial int ActionsOpen(byte* actions, int fd, byte* path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addclosefrom_np")]
    private static partial int ActionsCloseFrom(byte* actions, int from);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int AttributesInit(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int AttributesFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static partial int AttributesDefault(byte* attributes, byte* set);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int AttributesDestroy(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static partial int AttributesMask(byte* attributes, byte* set);

    /// <summary>
    /// Starts <paramref name="executable"/> in a session of its own, with /dev/null as 0, 1 and 2 (or <paramref name="output"/> as 1 and
    /// 2) and <paramref name="statusFd"/> as 3, default signals, and nothing else of ours. Gives the pid, which is the caller's to reap.
    /// </summary>
    public static int Start(string executable, IReadOnlyList<string> arguments, IReadOnlyList<string> environment, int statusFd, string output = "/dev/null")
    {
        var actions = stackalloc byte[256];
        var attributes = stackalloc byte[512];
        var empty = stackalloc byte[128];
        var all = stackalloc byte[128];
        new Span<byte>(empty, 128).Clear();
        new Span<byte>(all, 128).Fill(0xff);
        var path = System.Text.Encoding.UTF8.GetBytes(executable + "\0");
        var sink = System.Text.Encoding.UTF8.GetBytes(output + "\0");
        var strings = new NativeStrings(arguments);
        var variables = new NativeStrings(environment);
        int pid, result;
        fixed (byte* program = path, target = sink, nothing = "/dev/null\0"u8)
        {
            ActionsInit(actions);
            AttributesInit(attributes);
            AttributesFlags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
            AttributesMask(attributes, empty);
            AttributesDefault(attributes, all);
            if (statusFd >= 0)
            {
                ActionsDup2(actions, statusFd, 3);
            }

            ActionsOpen(actions, 0, nothing, Raw.O_RDWR, 0);
            ActionsOpen(actions, 1, target, Raw.O_WRONLY | Raw.O_CREAT | 0x400, 0x1A4);
            ActionsDup2(actions, 1, 2);

            // Not every library opens close-on-exec, and a monitor would keep what leaks into it for as long as its container lives.
            ActionsCloseFrom(actions, statusFd >= 0 ? 4 : 3);
            result = Spawn(&pid, program, actions, attributes, strings.Pointer, variables.Pointer);
            ActionsDestroy(actions);
            AttributesDestroy(attributes);
        }

        strings.Free();
        variables.Free();
        return result == 0 ? pid : throw new SyscallException("posix_spawn", $"'{executable}'", result);
    }

    private readonly struct NativeStrings
    {
        public readonly byte** Pointer;
        private readonly int _count;

        public NativeStrings(IReadOnlyList<string> strings)
        {
            _count = strings.Count;
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)(_count + 1), (nuint)sizeof(byte*));
            for (var i = 0; i < _count; i++)
            {
                Pointer[i] = (byte*)Marshal.StringToCoTaskMemUTF8(strings[i]);
            }
        }

        public void Free()
        {
            for (var i = 0; i < _count; i++)
            {
                Marshal.FreeCoTaskMem((nint)Pointer[i]);
            }

            NativeMemory.Free(Pointer);
        }
    }
}
