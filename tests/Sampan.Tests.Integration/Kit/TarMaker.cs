using System.Text;

namespace Sampan.Tests.Integration.Kit;

/// <summary>
/// Writes tar archives field by field, also such as no tool would write: names that lead outside, sizes that are lies.
/// </summary>
public sealed class TarMaker
{
    private const int BlockSize = 512;
    private readonly MemoryStream _stream = new();

    /// <summary>The archive with its two empty blocks at the end.</summary>
    public byte[] Finish() => [.. _stream.ToArray(), .. new byte[2 * BlockSize]];

    /// <summary>The archive as it is, without an end.</summary>
    public byte[] Cut(int bytesFromEnd) => _stream.ToArray()[..^bytesFromEnd];

    /// <summary>Adds a regular file.</summary>
    public TarMaker File(string name, string content = "", int mode = 0x1A4) => File(name, Encoding.UTF8.GetBytes(content), mode);

    /// <summary>Adds a regular file.</summary>
    public TarMaker File(string name, byte[] data, int mode = 0x1A4)
    {
        Header(name, '0', data.Length, mode: mode);
        _stream.Write(data);
        _stream.Write(new byte[(BlockSize - data.Length % BlockSize) % BlockSize]);
        return this;
    }

    /// <summary>Adds a folder.</summary>
    public TarMaker Folder(string name) => Header(name, '5', 0, mode: 0x1ED);

    /// <summary>Adds a symbolic link.</summary>
    public TarMaker Symlink(string name, string target) => Header(name, '2', 0, target);

    /// <summary>Adds a hard link.</summary>
    public TarMaker HardLink(string name, string target) => Header(name, '1', 0, target);

    /// <summary>Adds a block device.</summary>
    public TarMaker Device(string name, int major, int minor) => Header(name, '4', 0, major: major, minor: minor);

    /// <summary>Adds only the header of a file that claims to have <paramref name="size"/> bytes.</summary>
    public TarMaker Claim(string name, long size) => Header(name, '0', size);

    private TarMaker Header(string name, char type, long size, string link = "", int mode = 0x1FF, int major = 0, int minor = 0)
    {
        byte[] block = new byte[BlockSize];
        Text(block, 0, name);
        Octal(block, 100, 8, mode);
        Octal(block, 108, 8, 0);
        Octal(block, 116, 8, 0);
        if (size < 1L << 33)
        {
            Octal(block, 124, 12, size);
        }
        else
        {
            // GNU's form for sizes that eleven octal digits do not hold.
            block[124] = 0x80;
            for (int i = 0; i < 8; i++)
                block[135 - i] = (byte)(size >> (8 * i));
        }
        Octal(block, 136, 12, 1_700_000_000);
        block[156] = (byte)type;
        Text(block, 157, link);
        Text(block, 257, "ustar\0" + "00");
        Octal(block, 329, 8, major);
        Octal(block, 337, 8, minor);
        block.AsSpan(148, 8).Fill((byte)' ');
        Octal(block, 148, 7, block.Sum(b => b));
        _stream.Write(block);
        return this;
    }

    private static void Text(byte[] block, int at, string text) => Encoding.UTF8.GetBytes(text).CopyTo(block, at);

    private static void Octal(byte[] block, int at, int width, long value) =>
        Text(block, at, Convert.ToString(value, 8).PadLeft(width - 1, '0'));
}
