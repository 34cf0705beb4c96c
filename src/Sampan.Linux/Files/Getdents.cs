using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>getdents64(2): the names in a directory as bytes.</summary>
public static unsafe partial class Sys
{
    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    private static partial nint NativeGetdents(int fd, byte* buffer, nuint size);

    /// <summary>All names in an open directory but "." and "..", in the order of the file system.</summary>
    public static List<byte[]> ReadDirectory(int fd)
    {
        var names = new List<byte[]>();
        var buffer = new byte[32 * 1024];
        NativeLseek(fd, 0, SEEK_SET);
        fixed (byte* start = buffer)
        {
            while (true)
            {
                var n = NativeGetdents(fd, start, (nuint)buffer.Length);
                if (n < 0)
                {
                    throw new SyscallException("getdents64", $"descriptor {fd}", LastErrno);
                }

                if (n == 0)
                {
                    return names;
                }

                // struct linux_dirent64: ino (8), off (8), reclen (2), type (1), name.
                for (var p = start; p < start + n; p += *(ushort*)(p + 16))
                {
                    var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(p + 19);
                    if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                    {
                        names.Add(name.ToArray());
                    }
                }
            }
        }
    }
}
