using System.Globalization;
using System.Text;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>Where the files of a transfer go, one after the other.</summary>
internal interface IFileSink
{
    /// <summary>Begins a file.</summary>
    /// <param name="isHardLink">The entry's link names an earlier file, and no bytes follow.</param>
    Task BeginAsync(FileEntry entry, bool isHardLink, CancellationToken cancel);

    Task DataAsync(ReadOnlyMemory<byte> data, CancellationToken cancel);

    /// <summary>All bytes of a regular file are there.</summary>
    Task EndAsync(FileEntry entry, CancellationToken cancel);
}

/// <summary>Writes the files of a transfer as a tar (POSIX, with extended headers where a name, a size or an attribute needs them).</summary>
internal sealed class ArchiveWriter(Stream output) : IFileSink
{
    private const int Block = 512;
    private const int NameBytes = 100;
    private const long MaxOctalSize = 0x1FFFFFFFF; // 11 octal digits

    public async Task BeginAsync(FileEntry entry, bool isHardLink, CancellationToken cancel)
    {
        var type = isHardLink ? '1' : entry.IsDirectory ? '5' : entry.IsSymlink ? '2'
            : (entry.Mode & FileEntry.Pipe) != 0 ? '6' : (entry.Mode & FileEntry.CharacterDevice) != 0 ? '3' : (entry.Mode & FileEntry.Device) != 0 ? '4' : '0';
        var name = entry.IsDirectory ? entry.Path + "/" : entry.Path;
        var size = type == '0' ? entry.Size : 0;
        var records = new StringBuilder();
        Record(records, "path", name, name.Length > NameBytes);
        Record(records, "linkpath", entry.Link, entry.Link.Length > NameBytes);
        Record(records, "size", size.ToString(CultureInfo.InvariantCulture), size > MaxOctalSize);
        foreach (var (attribute, value) in entry.Xattrs)
        {
            Record(records, "SCHILY.xattr." + attribute, Encoding.Latin1.GetString(value), isNeeded: true);
        }

        if (records.Length > 0)
        {
            var body = Encoding.Latin1.GetBytes(records.ToString());
            await output.WriteAsync(Header(new("PaxHeaders/0") { Mode = 0x1A4 }, 'x', "PaxHeaders/0", "", body.Length), cancel);
            await output.WriteAsync(body, cancel);
            await PadAsync(body.Length, cancel);
        }

        await output.WriteAsync(Header(entry, type, name, type is '1' or '2' ? entry.Link : "", size), cancel);
    }

    public Task DataAsync(ReadOnlyMemory<byte> data, CancellationToken cancel) => output.WriteAsync(data, cancel).AsTask();

    public Task EndAsync(FileEntry entry, CancellationToken cancel) => PadAsync(entry.Size, cancel);

    /// <summary>Ends the archive.</summary>
    public Task FinishAsync(CancellationToken cancel) => output.WriteAsync(new byte[2 * Block], cancel).AsTask();

    private async Task PadAsync(long size, CancellationToken cancel)
    {
        var rest = (int)(size % Block);
        if (rest != 0)
        {
            await output.WriteAsync(new byte[Block - rest], cancel);
        }
    }

    private static byte[] Header(FileEntry entry, char type, string name, string link, long size)
    {
        const int MaxOctalId = 0x1FFFFF;
        var header = new byte[Block];
        Encoding.Latin1.GetBytes(name.AsSpan(0, Math.Min(name.Length, NameBytes)), header);
        Octal(header.AsSpan(100, 8), entry.UnixMode);
        Octal(header.AsSpan(108, 8), Math.Min(entry.Uid, MaxOctalId));
        Octal(header.AsSpan(116, 8), Math.Min(entry.Gid, MaxOctalId));
        Octal(header.AsSpan(124, 12), Math.Min(size, MaxOctalSize));
        Octal(header.AsSpan(136, 12), Math.Clamp(entry.ModifiedNanoseconds / 1_000_000_000, 0, MaxOctalSize));
        header.AsSpan(148, 8).Fill((byte)' ');
        header[156] = (byte)type;
        Encoding.Latin1.GetBytes(link.AsSpan(0, Math.Min(link.Length, NameBytes)), header.AsSpan(157));
        "ustar\0"u8.CopyTo(header.AsSpan(257));
        "00"u8.CopyTo(header.AsSpan(263));
        if (type is '3' or '4')
        {
            Octal(header.AsSpan(329, 8), Math.Clamp(entry.DeviceMajor, 0, MaxOctalId));
            Octal(header.AsSpan(337, 8), Math.Clamp(entry.DeviceMinor, 0, MaxOctalId));
        }

        var sum = 0;
        foreach (var octet in header)
        {
            sum += octet;
        }

        Octal(header.AsSpan(148, 7), sum);
        return header;
    }

    private static void Octal(Span<byte> field, long value)
    {
        for (var i = field.Length - 2; i >= 0; i--, value >>= 3)
        {
            field[i] = (byte)('0' + (value & 7));
        }

        field[^1] = 0;
    }

    /// <summary>An extended header's record, which begins with its own length.</summary>
    private static void Record(StringBuilder records, string key, string value, bool isNeeded)
    {
        if (!isNeeded)
        {
            return;
        }

        var rest = key.Length + value.Length + 3; // space, equals sign, end of line
        var length = rest + 1;
        while (length != rest + length.ToString(CultureInfo.InvariantCulture).Length)
        {
            length = rest + length.ToString(CultureInfo.InvariantCulture).Length;
        }

        records.Append(CultureInfo.InvariantCulture, $"{length} {key}={value}\n");
    }
}
