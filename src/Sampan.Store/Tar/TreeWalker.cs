using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// Goes through a tree in byte order of the names, a directory before what is in it. Depth costs descriptors but no stack, and no path is given to
/// the kernel that is longer than a name.
/// </summary>
internal sealed class TreeWalker : IDisposable
{
    /// <summary>Each level holds a descriptor; the daemon's are not for one tree alone.</summary>
    private const int MaxDepth = 2000;

    private readonly Stack<Frame> _frames = new();

    /// <param name="root">An open directory, which stays the caller's.</param>
    /// <param name="path">What the paths begin with; "" for nothing.</param>
    public TreeWalker(int root, byte[] path) => Push(root, path, owned: false);

    /// <summary>The directory that holds the current entry.</summary>
    public int Parent { get; private set; }

    public byte[] Name { get; private set; } = [];

    public byte[] Path { get; private set; } = [];

    public FileStat Stat { get; private set; }

    /// <summary>Goes to the next entry; one that vanished meanwhile is passed over. False at the end.</summary>
    public bool Next()
    {
        while (_frames.TryPeek(out var frame))
        {
            if (frame.Next == frame.Names.Count)
            {
                _frames.Pop();
                frame.Dispose();
                continue;
            }

            Name = frame.Names[frame.Next++];
            var errno = Sys.TryStatAt(frame.Fd, Name, out var stat);
            if (errno == Errno.ENOENT)
            {
                continue;
            }

            (Parent, Path, Stat) = (frame.Fd, EntryPath.Join(frame.Path, Name), stat);
            return errno == 0 ? true : throw new SyscallException("statx", $"'{Bytes.ToText(Path)}'", errno);
        }

        return false;
    }

    /// <summary>Opens the current entry, a directory, to go through it next; the descriptor is the walker's.</summary>
    /// <exception cref="StoreException">It is too deep.</exception>
    public int Enter()
    {
        if (_frames.Count > MaxDepth)
        {
            throw StoreException.Invalid($"\"/{TarEntry.Display(Path[..Math.Min(Path.Length, 100)])}…\" leads through more than {MaxDepth:N0} directories");
        }

        var fd = Sys.OpenAt(Parent, Name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
        Push(fd, Path, owned: true);
        return fd;
    }

    public void Dispose()
    {
        while (_frames.TryPop(out var frame))
        {
            frame.Dispose();
        }
    }

    private void Push(int fd, byte[] path, bool owned)
    {
        var names = Sys.ReadDirectory(fd);
        names.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        _frames.Push(new Frame(fd, path, names, owned));
    }

    private sealed class Frame(int fd, byte[] path, List<byte[]> names, bool owned) : IDisposable
    {
        public int Fd => fd;

        public byte[] Path => path;

        public List<byte[]> Names => names;

        public int Next { get; set; }

        public void Dispose()
        {
            if (owned)
            {
                Sys.Close(fd);
            }
        }
    }
}
