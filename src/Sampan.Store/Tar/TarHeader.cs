using System.Buffers;
using System.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// Writes headers: ustar, and a pax header before it for what ustar cannot hold (long names, large numbers, fractions of seconds, extended
/// attributes). The same entry gives the same bytes everywhere.
/// </summary>
internal static class TarHeader
{
    private const int Block = TarReader.BlockBytes, NameBytes = 100, PrefixBytes = 155;

    public static void Write(IBufferWriter<byte> output, TarEntry entry)
    {
        var header = new byte[Block];
        var pax = new ArrayBufferWriter<byte>();
        WriteName(header, entry.Name, pax);
        WriteText(header.AsSpan(157, NameBytes), entry.LinkName, "linkpath", pax);
        TarNumbers.TryWriteOctal(header.AsSpan(100, 8), entry.Mode);
        WriteNumber(header.AsSpan(108, 8), entry.Uid, "uid", pax);
        WriteNumber(header.AsSpan(116, 8), entry.Gid, "gid", pax);
        WriteNumber(header.AsSpan(124, 12), entry.StoredSize, "size", pax);
        WriteTime(header.AsSpan(136, 12), entry.Modified, pax);
        header[156] = TypeOf(entry.Kind);
        var deviceFits = TarNumbers.TryWriteOctal(header.AsSpan(329, 8), entry.DeviceMajor) & TarNumbers.TryWriteOctal(header.AsSpan(337, 8), entry.DeviceMinor);
        if (!deviceFits)
        {
            throw StoreException.Invalid($"device {entry.DeviceMajor}:{entry.DeviceMinor} of \"{entry.DisplayName}\" is beyond what a tar can hold");
        }

        foreach (var (name, value) in entry.Xattrs)
        {
            Record(pax, [.. "SCHILY.xattr."u8, .. name], value);
        }

        if (pax.WrittenCount > 0)
        {
            WritePax(output, entry.Name, pax.WrittenSpan);
        }

        Finish(header);
        output.Write(header);
    }

    /// <summary>Zeros up to a whole block.</summary>
    public static ReadOnlySpan<byte> Padding(long size) => Zeros[..(int)(-size & (Block - 1))];

    /// <summary>The two blocks that end an archive.</summary>
    public static ReadOnlySpan<byte> End => Zeros;

    private static ReadOnlySpan<byte> Zeros => new byte[2 * Block];

    private static byte TypeOf(TarEntryKind kind) => kind switch
    {
        TarEntryKind.HardLink => (byte)'1',
        TarEntryKind.Symlink => (byte)'2',
        TarEntryKind.CharDevice => (byte)'3',
        TarEntryKind.BlockDevice => (byte)'4',
        TarEntryKind.Directory => (byte)'5',
        TarEntryKind.Fifo => (byte)'6',
        _ => (byte)'0',
    };

    private static void WriteName(byte[] header, byte[] name, ArrayBufferWriter<byte> pax)
    {
        if (name.Length > NameBytes && Split(name) is var slash and > 0)
        {
            name.AsSpan(0, slash).CopyTo(header.AsSpan(345));
            name.AsSpan(slash + 1).CopyTo(header);
            return;
        }

        WriteText(header.AsSpan(0, NameBytes), name, "path", pax);
    }

    /// <summary>Where a long name divides into prefix and name; 0 when it does not.</summary>
    private static int Split(byte[] name)
    {
        var end = Math.Min(name.Length - 1, PrefixBytes + 1);
        var slash = name.AsSpan(0, end).LastIndexOf((byte)'/');
        return slash > 0 && name.Length - slash - 1 <= NameBytes ? slash : 0;
    }

    private static void WriteText(Span<byte> field, byte[] text, string key, ArrayBufferWriter<byte> pax)
    {
        if (text.Length > field.Length)
        {
            Record(pax, Encoding.ASCII.GetBytes(key), text);
        }

        text.AsSpan(0, Math.Min(text.Length, field.Length)).CopyTo(field);
    }

    private static void WriteNumber(Span<byte> field, long value, string key, ArrayBufferWriter<byte> pax)
    {
        if (!TarNumbers.TryWriteOctal(field, value))
        {
            Record(pax, Encoding.ASCII.GetBytes(key), Encoding.ASCII.GetBytes($"{value}"));
            TarNumbers.TryWriteOctal(field, 0);
        }
    }

    private static void WriteTime(Span<byte> field, FileTime time, ArrayBufferWriter<byte> pax)
    {
        var fits = TarNumbers.TryWriteOctal(field, time.Seconds);
        if (!fits)
        {
            TarNumbers.TryWriteOctal(field, 0);
        }

        if (!fits || time.Nanoseconds > 0)
        {
            // Before 1970 the decimal's fraction counts away from zero: -2 s and 0.75 s are -1.25.
            var (seconds, nanoseconds) = time.Seconds < 0 && time.Nanoseconds > 0 ? (time.Seconds + 1, 1_000_000_000 - time.Nanoseconds) : (time.Seconds, time.Nanoseconds);
            var sign = time.Seconds < 0 ? "-" : "";
            var text = nanoseconds == 0 ? $"{sign}{Math.Abs(seconds)}" : $"{sign}{Math.Abs(seconds)}.{nanoseconds:D9}".TrimEnd('0');
            Record(pax, "mtime"u8, Encoding.ASCII.GetBytes(text));
        }
    }

    private static void WritePax(IBufferWriter<byte> output, byte[] name, ReadOnlySpan<byte> records)
    {
        var header = new byte[Block];
        "PaxHeaders.0/"u8.CopyTo(header);
        var leaf = EntryPath.Split(name.AsSpan().TrimEnd((byte)'/')).Name.AsSpan();
        leaf[..Math.Min(leaf.Length, NameBytes - 13)].CopyTo(header.AsSpan(13));
        TarNumbers.TryWriteOctal(header.AsSpan(100, 8), 0x1A4 /* 0644 */);
        TarNumbers.TryWriteOctal(header.AsSpan(108, 8), 0);
        TarNumbers.TryWriteOctal(header.AsSpan(116, 8), 0);
        TarNumbers.TryWriteOctal(header.AsSpan(124, 12), records.Length);
        TarNumbers.TryWriteOctal(header.AsSpan(136, 12), 0);
        TarNumbers.TryWriteOctal(header.AsSpan(329, 8), 0);
        TarNumbers.TryWriteOctal(header.AsSpan(337, 8), 0);
        header[156] = (byte)'x';
        Finish(header);
        output.Write(header);
        output.Write(records);
        output.Write(Padding(records.Length));
    }

    private static void Finish(byte[] header)
    {
        "ustar\000"u8.CopyTo(header.AsSpan(257));
        header.AsSpan(148, 8).Fill((byte)' ');
        var sum = 0;
        foreach (var b in header)
        {
            sum += b;
        }

        TarNumbers.TryWriteOctal(header.AsSpan(148, 7), sum);
    }

    /// <summary>"length key=value\n", where the length counts its own digits.</summary>
    private static void Record(ArrayBufferWriter<byte> pax, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var rest = key.Length + value.Length + 3;
        var length = rest + 1;
        while (length != rest + Digits(length))
        {
            length = rest + Digits(length);
        }

        pax.Write(Encoding.ASCII.GetBytes($"{length} "));
        pax.Write(key);
        pax.Write("="u8);
        pax.Write(value);
        pax.Write("\n"u8);
    }

    private static int Digits(int number) => number < 10 ? 1 : 1 + Digits(number / 10);
}
