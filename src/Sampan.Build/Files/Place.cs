using Sampan.Linux;

namespace Sampan.Build.Files;

/// <summary>
/// A path of any length in the form that system calls take: a directory and a name in it. The kernel takes no path of PATH_MAX bytes or more;
/// such a one is walked piece by piece to a directory that is near enough. To be disposed after the call.
/// </summary>
internal readonly struct Place : IDisposable
{
    /// <summary>Calls that go by <c>/proc/self/fd/N/NAME</c> (extended attributes) need room for its beginning.</summary>
    private const int MaxBytes = Sys.PATH_MAX - 64;

    private readonly bool _isOwned;

    private Place(int directory, byte[] name, bool isOwned) => (Directory, Name, _isOwned) = (directory, name, isOwned);

    /// <summary>Stands for <see cref="Sys.AT_FDCWD"/> unless the path is too long.</summary>
    public int Directory { get; }

    public byte[] Name { get; }

    /// <exception cref="SyscallException">A directory on the way is missing or none.</exception>
    public static Place Of(string path) => Of(Sys.AT_FDCWD, path, 0);

    /// <param name="directory">What the path begins at; stays the caller's.</param>
    /// <param name="resolve">RESOLVE_*: how the way may lead.</param>
    public static Place Of(int directory, string path, ulong resolve)
    {
        var bytes = Bytes.FromText(path);
        var isOwned = false;
        try
        {
            for (int end; bytes.Length > MaxBytes && (end = bytes.AsSpan(0, MaxBytes).LastIndexOf((byte)'/')) > 0;)
            {
                var errno = Sys.TryOpenAt2(directory, bytes.AsSpan(0, end), Sys.O_PATH | Sys.O_DIRECTORY, 0, resolve, out var next);
                if (errno != 0)
                {
                    throw new SyscallException("openat2", $"'{path}'", errno);
                }

                Close(directory, isOwned);
                (directory, isOwned, bytes) = (next, true, bytes[(end + 1)..]);
            }

            return new(directory, bytes, isOwned);
        }
        catch
        {
            Close(directory, isOwned);
            throw;
        }
    }

    public void Dispose() => Close(Directory, _isOwned);

    private static void Close(int directory, bool isOwned)
    {
        if (isOwned)
        {
            Sys.Close(directory);
        }
    }
}
