using System.Formats.Tar;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>
/// Sends a tar's files to a client's directory. The client asks for files in any order, so the archive is kept in a file without a name
/// until it has all it wants.
/// </summary>
internal sealed class FileSender : IAsyncDisposable
{
    /// <summary>Where large files may be for a while; /tmp may be in memory.</summary>
    private const string Folder = "/var/tmp";

    private const int ChunkBytes = 64 * 1024;
    private readonly IMessageStream _call;
    private readonly FileStream _archive;
    private readonly SortedDictionary<string, (FileEntry Entry, long Offset)> _files = new(Comparer<string>.Create(FileOrder.Compare));

    private FileSender(IMessageStream call, FileStream archive) => (_call, _archive) = (call, archive);

    public long TotalBytes { get; private set; }

    /// <summary>Takes the archive, and learns where in it each file is.</summary>
    public static async Task<FileSender> OpenAsync(IMessageStream call, Func<Stream, CancellationToken, Task> write, CancellationToken cancel)
    {
        var path = Path.Combine(Folder, $"sampan-{Guid.NewGuid():N}");
        var archive = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Options = FileOptions.Asynchronous,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        File.Delete(path); // it lives as long as it is open
        var sender = new FileSender(call, archive);
        try
        {
            await write(archive, cancel);
            await sender.IndexAsync(cancel);
            return sender;
        }
        catch
        {
            await sender.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends until the client has all it wants.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var files = _files.Values.ToList();
        foreach (var (entry, _) in files)
        {
            await _call.WriteAsync(new FilePacket(PacketType.Stat) { Stat = entry }.ToBytes());
        }

        await _call.WriteAsync(new FilePacket(PacketType.Stat).ToBytes());
        while (await _call.ReadAsync() is { } message)
        {
            var packet = FilePacket.Parse(message);
            switch (packet.Type)
            {
                case PacketType.Request when packet.Id < files.Count:
                    await SendAsync(packet.Id, files[(int)packet.Id], cancel);
                    break;
                case PacketType.Finished:
                    await _call.WriteAsync(new FilePacket(PacketType.Finished).ToBytes());
                    await _call.CompleteAsync();
                    break;
                default:
                    throw new GrpcException(GrpcCode.Unknown, $"error from receiver: {packet.Type} {System.Text.Encoding.UTF8.GetString(packet.Data)}");
            }
        }
    }

    public ValueTask DisposeAsync() => _archive.DisposeAsync();

    private async Task SendAsync(uint id, (FileEntry Entry, long Offset) file, CancellationToken cancel)
    {
        var buffer = new byte[ChunkBytes];
        _archive.Position = file.Offset;
        for (var left = file.Entry.Size; left > 0;)
        {
            var count = (int)Math.Min(left, ChunkBytes);
            await _archive.ReadExactlyAsync(buffer.AsMemory(0, count), cancel);
            await _call.WriteAsync(new FilePacket(PacketType.Data) { Id = id, Data = buffer[..count] }.ToBytes());
            (left, TotalBytes) = (left - count, TotalBytes + count);
        }

        await _call.WriteAsync(new FilePacket(PacketType.Data) { Id = id }.ToBytes());
    }

    private async Task IndexAsync(CancellationToken cancel)
    {
        _archive.Position = 0;
        await using var reader = new TarReader(_archive, leaveOpen: true);
        while (await reader.GetNextEntryAsync(copyData: false, cancel) is { } tar)
        {
            var path = tar.Name.Trim('/');
            path = path.StartsWith("./", StringComparison.Ordinal) ? path[2..] : path;
            if (path is not ("" or "."))
            {
                _files[ToBytes(path)] = (EntryOf(tar, ToBytes(path)), tar.DataOffset);
            }
        }
    }

    private static FileEntry EntryOf(TarEntry tar, string path)
    {
        var mode = FileEntry.ModeOf((int)tar.Mode);
        var isHardLink = tar.EntryType == TarEntryType.HardLink;
        var device = tar as PosixTarEntry;
        return new(path)
        {
            Mode = mode | tar.EntryType switch
            {
                TarEntryType.Directory => FileEntry.Directory,
                TarEntryType.SymbolicLink => FileEntry.Symlink,
                TarEntryType.CharacterDevice => FileEntry.Device | FileEntry.CharacterDevice,
                TarEntryType.BlockDevice => FileEntry.Device,
                TarEntryType.Fifo => FileEntry.Pipe,
                _ => 0U,
            },
            Uid = (uint)tar.Uid,
            Gid = (uint)tar.Gid,
            Size = isHardLink ? 0 : tar.Length,
            ModifiedNanoseconds = (tar.ModificationTime - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick,
            Link = tar.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink ? ToBytes(isHardLink ? tar.LinkName.TrimStart('/') : tar.LinkName) : "",
            DeviceMajor = tar.EntryType is TarEntryType.CharacterDevice or TarEntryType.BlockDevice ? device?.DeviceMajor ?? 0 : 0,
            DeviceMinor = tar.EntryType is TarEntryType.CharacterDevice or TarEntryType.BlockDevice ? device?.DeviceMinor ?? 0 : 0,
        };
    }

    /// <summary>Text as a string of bytes.</summary>
    private static string ToBytes(string text) => System.Text.Encoding.Latin1.GetString(System.Text.Encoding.UTF8.GetBytes(text));
}
