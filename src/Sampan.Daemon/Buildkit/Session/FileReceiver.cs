using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>Which files of one of a client's directories are wanted; patterns are those of an ignore file.</summary>
/// <param name="Directory">The client's name for it: <c>context</c>, <c>dockerfile</c>, or that of a named context.</param>
internal sealed record FileWish(string Directory)
{
    /// <summary>Files, with what their symlinks lead to; none for all.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    public IReadOnlyList<string> Excludes { get; init; } = [];

    public IEnumerable<(string Name, string Value)> Metadata =>
        [("dir-name", Directory), .. Paths.Select(path => ("followpaths", path)), .. Excludes.Select(pattern => ("exclude-patterns", pattern))];
}

/// <summary>
/// Takes a directory from a session's client, file by file in the order of its paths. The client may send the bytes of several files at the
/// same time, so that those of the next ones wait in memory; only what has room there is asked for.
/// </summary>
/// <param name="progress">Gets the number of bytes so far.</param>
/// <param name="known">What the receiver has already, which is neither asked for nor given to the sink.</param>
internal sealed class FileReceiver(IMessageStream call, IFileSink sink, Func<long, ValueTask>? progress = null, KnownFiles? known = null)
{
    /// <summary>Bytes that may be under way beside those of the file that is being written.</summary>
    private const long WindowBytes = 4 << 20;

    /// <summary>Files that may be asked for at a time.</summary>
    private const int WindowFiles = 64;

    private const int MaxFiles = 2_000_000;

    private readonly FileOrder _order = new();
    private readonly List<Incoming?> _files = [];
    private readonly HashSet<string> _regular = [];
    private int _asked, _written, _asking;
    private long _underWay;
    private bool _allKnown;

    /// <summary>What has come of the files' contents.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Receives until the end.</summary>
    /// <exception cref="GrpcException">The client has failed or gone.</exception>
    /// <exception cref="FormatException">It sends what it must not.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (!(_allKnown && _written == _files.Count))
        {
            var packet = FilePacket.Parse(await call.ReadAsync() ?? throw new FormatException("the transfer of files ends too early"));
            switch (packet.Type)
            {
                case PacketType.Stat when packet.Stat is { } entry && !_allKnown:
                    Add(entry);
                    break;
                case PacketType.Stat when packet.Stat is null:
                    _allKnown = true;
                    Skip();
                    break;
                case PacketType.Data:
                    await ReceiveAsync(packet, cancel);
                    break;
                case PacketType.Error:
                    throw new GrpcException(GrpcCode.Unknown, $"error from sender: {System.Text.Encoding.UTF8.GetString(packet.Data)}");
                default:
                    throw new FormatException($"unexpected packet {packet.Type} in a transfer of files");
            }

            // What the receiver has can be told only when the client has named all.
            if (_allKnown || known is not { IsEmpty: false })
            {
                await AskAsync();
                await WriteAsync(cancel);
            }
        }

        await call.WriteAsync(new FilePacket(PacketType.Finished).ToBytes());
        await call.CompleteAsync();
        while (await call.ReadAsync() is not null)
        {
            // The client says that it has finished as well.
        }
    }

    private void Add(FileEntry entry)
    {
        if (_files.Count == MaxFiles)
        {
            throw new FormatException($"a transfer of more than {MaxFiles:N0} files");
        }

        _order.Check(entry);
        var isHardLink = entry is { IsRegular: true, Link.Length: > 0 };
        if (entry.Size < 0 || (isHardLink && !_regular.Contains(entry.Link)))
        {
            throw new FormatException($"invalid size or link of '{entry.Path}' in a transfer of files");
        }

        if (entry.IsRegular && !isHardLink)
        {
            _regular.Add(entry.Path);
        }

        _files.Add(new(entry, isHardLink));
        known?.Add(entry);
    }

    /// <summary>Leaves out what is there already.</summary>
    private void Skip()
    {
        if (known is not { IsEmpty: false })
        {
            return;
        }

        foreach (var i in known.Compare())
        {
            _files[i]!.IsSkipped = true;
        }
    }

    /// <summary>Asks for the bytes of the next files.</summary>
    private async Task AskAsync()
    {
        for (; _asked < _files.Count; _asked++)
        {
            var file = _files[_asked]!;
            if (!file.HasBytes)
            {
                continue;
            }

            if (_asking == WindowFiles || (_asking > 0 && _underWay + file.Entry.Size > WindowBytes))
            {
                return;
            }

            _asking++;
            _underWay += file.Entry.Size;
            file.IsAsked = true;
            await call.WriteAsync(new FilePacket(PacketType.Request) { Id = (uint)_asked }.ToBytes());
        }
    }

    private async Task ReceiveAsync(FilePacket packet, CancellationToken cancel)
    {
        if (packet.Id >= _files.Count || _files[(int)packet.Id] is not { IsAsked: true, IsWhole: false } file)
        {
            throw new FormatException($"bytes of a file that nobody asked for ({packet.Id}) in a transfer of files");
        }

        var left = file.Entry.Size - file.Received - packet.Data.Length;
        if (left < 0 || (packet.Data.Length == 0 && left > 0))
        {
            throw new FormatException($"'{file.Entry.Path}' changed while it was sent; build again when nothing writes to it");
        }

        file.Received += packet.Data.Length;
        _underWay -= packet.Data.Length;
        TotalBytes += packet.Data.Length;
        if (progress is not null)
        {
            await progress(TotalBytes);
        }

        if (packet.Data.Length == 0)
        {
            file.IsWhole = true;
            _asking--;
        }
        else if (packet.Id == _written && file.IsBegun)
        {
            await sink.DataAsync(packet.Data, cancel);
        }
        else
        {
            file.Waiting.Add(packet.Data);
        }
    }

    /// <summary>Writes what can be written now.</summary>
    private async Task WriteAsync(CancellationToken cancel)
    {
        for (; _written < _files.Count; _written++)
        {
            var file = _files[_written]!;
            if (file.IsSkipped)
            {
                _files[_written] = null;
                continue;
            }

            if (!file.IsBegun && (file.Entry.Mode & FileEntry.Socket) == 0)
            {
                await sink.BeginAsync(file.Entry, file.IsHardLink, cancel);
                file.IsBegun = true;
            }

            foreach (var data in file.Waiting)
            {
                await sink.DataAsync(data, cancel);
            }

            file.Waiting.Clear();
            if (file is { HasBytes: true, IsWhole: false })
            {
                return;
            }

            if (file.Entry.IsRegular && !file.IsHardLink)
            {
                await sink.EndAsync(file.Entry, cancel);
            }

            _files[_written] = null;
        }
    }

    private sealed class Incoming(FileEntry entry, bool isHardLink)
    {
        public FileEntry Entry => entry;

        public bool IsHardLink => isHardLink;

        /// <summary>The receiver has it already.</summary>
        public bool IsSkipped { get; set; }

        public bool HasBytes => entry is { IsRegular: true, Size: > 0 } && !isHardLink && !IsSkipped;

        public bool IsAsked { get; set; }

        public bool IsBegun { get; set; }

        public bool IsWhole { get; set; }

        public long Received { get; set; }

        public List<byte[]> Waiting { get; } = [];
    }
}
