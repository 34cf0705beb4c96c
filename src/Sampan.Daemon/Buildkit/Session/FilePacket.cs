using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>What a packet of a file transfer is for.</summary>
internal enum PacketType
{
    /// <summary>A file's attributes; without them, there are no more files.</summary>
    Stat = 0,

    /// <summary>The receiver wants a file's bytes.</summary>
    Request = 1,

    /// <summary>Some of them; none, when that was all.</summary>
    Data = 2,

    /// <summary>The receiver has all it wants; the sender answers with the same.</summary>
    Finished = 3,

    /// <summary>The sender has failed; the data are the reason.</summary>
    Error = 4,
}

/// <summary>A packet of the protocol by which BuildKit's clients transfer directories (fsutil). Files go by their number, in the order of the stats.</summary>
internal sealed record FilePacket(PacketType Type)
{
    public FileEntry? Stat { get; init; }

    public uint Id { get; init; }

    public byte[] Data { get; init; } = [];

    /// <exception cref="FormatException">It is malformed.</exception>
    public static FilePacket Parse(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var (type, id) = (PacketType.Stat, 0U);
        FileEntry? stat = null;
        byte[] data = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = (PacketType)reader.UInt32();
                    break;
                case 2:
                    stat = FileEntry.Parse(reader.Bytes());
                    break;
                case 3:
                    id = reader.UInt32();
                    break;
                case 4:
                    data = reader.Bytes().ToArray();
                    break;
            }
        }

        return new(type) { Stat = stat, Id = id, Data = data };
    }

    public ReadOnlyMemory<byte> ToBytes()
    {
        var writer = new ProtoWriter().UInt64(1, (ulong)Type);
        if (Stat is { } stat)
        {
            writer.Message(2, stat.Write);
        }

        return writer.UInt64(3, Id).Bytes(4, Data).Written;
    }
}

/// <summary>A file's attributes, as Go has them.</summary>
/// <param name="Path">Relative, without <c>.</c> and <c>..</c>; each letter is a byte.</param>
internal sealed record FileEntry(string Path)
{
    private const uint TypeBits = 0x8F280000; // directory, symlink, device, pipe, socket, character device, irregular

    public const uint Directory = 1U << 31, Symlink = 1U << 27, Device = 1U << 26, Pipe = 1U << 25, Socket = 1U << 24, CharacterDevice = 1U << 21;

    private const uint SetUid = 1U << 23, SetGid = 1U << 22, Sticky = 1U << 20;

    /// <summary>Go's <c>os.FileMode</c>.</summary>
    public uint Mode { get; init; }

    public uint Uid { get; init; }

    public uint Gid { get; init; }

    public long Size { get; init; }

    /// <summary>Nanoseconds since 1970.</summary>
    public long ModifiedNanoseconds { get; init; }

    /// <summary>A symlink's target; of a regular file the path of an earlier one that it is a hard link to.</summary>
    public string Link { get; init; } = "";

    public long DeviceMajor { get; init; }

    public long DeviceMinor { get; init; }

    public IReadOnlyDictionary<string, byte[]> Xattrs { get; init; } = new Dictionary<string, byte[]>();

    public bool IsDirectory => (Mode & Directory) != 0;

    public bool IsSymlink => (Mode & Symlink) != 0;

    /// <summary>Its bytes may be asked for.</summary>
    public bool IsRegular => (Mode & TypeBits) == 0;

    /// <summary>The permissions as Unix writes them.</summary>
    public int UnixMode => (int)(Mode & 0x1FF) | ((Mode & SetUid) != 0 ? 0x800 : 0) | ((Mode & SetGid) != 0 ? 0x400 : 0) | ((Mode & Sticky) != 0 ? 0x200 : 0);

    /// <summary>Permissions as Go writes them.</summary>
    public static uint ModeOf(int unixMode) =>
        (uint)(unixMode & 0x1FF) | ((unixMode & 0x800) != 0 ? SetUid : 0) | ((unixMode & 0x400) != 0 ? SetGid : 0) | ((unixMode & 0x200) != 0 ? Sticky : 0);

    /// <exception cref="FormatException">It is malformed.</exception>
    public static FileEntry Parse(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var entry = new FileEntry("");
        var xattrs = new Dictionary<string, byte[]>();
        while (reader.Next())
        {
            entry = reader.Field switch
            {
                1 => entry with { Path = reader.ByteString() },
                2 => entry with { Mode = reader.UInt32() },
                3 => entry with { Uid = reader.UInt32() },
                4 => entry with { Gid = reader.UInt32() },
                5 => entry with { Size = reader.Int64() },
                6 => entry with { ModifiedNanoseconds = reader.Int64() },
                7 => entry with { Link = reader.ByteString() },
                8 => entry with { DeviceMajor = reader.Int64() },
                9 => entry with { DeviceMinor = reader.Int64() },
                10 => entry with { Xattrs = WithXattr(xattrs, reader.Bytes()) },
                _ => entry,
            };
        }

        return entry;
    }

    public void Write(ProtoWriter writer)
    {
        writer.ByteString(1, Path).UInt64(2, Mode).UInt64(3, Uid).UInt64(4, Gid).Int64(5, Size).Int64(6, ModifiedNanoseconds)
            .ByteString(7, Link).Int64(8, DeviceMajor).Int64(9, DeviceMinor);
        foreach (var (name, value) in Xattrs)
        {
            writer.Message(10, entry => entry.ByteString(1, name).Bytes(2, value));
        }
    }

    private static Dictionary<string, byte[]> WithXattr(Dictionary<string, byte[]> xattrs, ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var (name, value) = ("", Array.Empty<byte>());
        while (reader.Next())
        {
            (name, value) = reader.Field switch
            {
                1 => (reader.ByteString(), value),
                2 => (name, reader.Bytes().ToArray()),
                _ => (name, value),
            };
        }

        xattrs[name] = value;
        return xattrs;
    }
}
