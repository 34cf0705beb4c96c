using System.Globalization;
using System.Text;

namespace Sampan.Runtime;

/// <summary>
/// Writes Docker's json-file format, one object a line: <c>{"log":"…\n","stream":"stdout","time":"…"}</c>. Lines are split at 16 KiB, as
/// Docker splits them, and files are rotated by size. A write that fails (a full disk) loses lines, never the container.
/// </summary>
internal sealed class LogWriter
{
    private const int SplitAt = 16 * 1024;

    private readonly string _path;
    private readonly long _maxBytes;
    private readonly int _maxFiles;
    private readonly byte[][] _partial = [[], new byte[SplitAt], new byte[SplitAt]];
    private readonly int[] _length = new int[3];
    private readonly List<byte> _out = new(4096);
    private FileStream _file;
    private long _size;

    public LogWriter(string path, long maxBytes, int maxFiles)
    {
        (_path, _maxBytes, _maxFiles) = (path, maxBytes, Math.Max(1, maxFiles));
        _file = Open();
        _size = _file.Length;
    }

    /// <summary>How many bytes could not be written.</summary>
    public long LostBytes { get; private set; }

    public void Write(int stream, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var room = SplitAt - _length[stream];
            var newline = data[..Math.Min(room, data.Length)].IndexOf((byte)'\n');
            var take = newline >= 0 ? newline + 1 : Math.Min(room, data.Length);
            data[..take].CopyTo(_partial[stream].AsSpan(_length[stream]));
            _length[stream] += take;
            data = data[take..];
            if (newline >= 0 || _length[stream] == SplitAt)
            {
                Entry(stream);
            }
        }

        Flush();
    }

    /// <summary>Writes what has no newline yet and closes.</summary>
    public void Close()
    {
        for (var stream = 1; stream <= 2; stream++)
        {
            if (_length[stream] > 0)
            {
                Entry(stream);
            }
        }

        Flush();
        _file.Dispose();
    }

    private void Entry(int stream)
    {
        _out.AddRange("{\"log\":\""u8);
        Escape(_partial[stream].AsSpan(0, _length[stream]));
        _out.AddRange(stream == 1 ? "\",\"stream\":\"stdout\",\"time\":\""u8 : "\",\"stream\":\"stderr\",\"time\":\""u8);
        _out.AddRange(Encoding.ASCII.GetBytes(Timestamp.Format(Timestamp.Now())));
        _out.AddRange("\"}\n"u8);
        _length[stream] = 0;
        if (_out.Count >= 64 * 1024)
        {
            Flush();
        }
    }

    private void Flush()
    {
        if (_out.Count == 0)
        {
            return;
        }

        try
        {
            if (_maxBytes > 0 && _size > 0 && _size + _out.Count > _maxBytes)
            {
                Rotate();
            }

            _file.Write(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_out));
            _size += _out.Count;
        }
        catch (IOException)
        {
            LostBytes += _out.Count;
        }

        _out.Clear();
    }

    private void Rotate()
    {
        _file.Dispose();
        for (var i = _maxFiles - 1; i > 0; i--)
        {
            var older = i == 1 ? _path : $"{_path}.{i - 1}";
            if (File.Exists(older))
            {
                File.Move(older, $"{_path}.{i}", overwrite: true);
            }
        }

        if (_maxFiles == 1)
        {
            File.Delete(_path);
        }

        _file = Open();
        _size = 0;
    }

    // The buffer of a FileStream is not wanted: what was read is written at once.
    private FileStream Open() => new(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, 0);

    /// <summary>Escapes as Go's JSON does: what is not UTF-8 becomes U+FFFD, and &lt;, &gt;, &amp; and the line separators are escaped.</summary>
    private void Escape(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            var plain = 0;
            while (plain < text.Length && text[plain] is >= 0x20 and < 0x7f and not ((byte)'"' or (byte)'\\' or (byte)'<' or (byte)'>' or (byte)'&'))
            {
                plain++;
            }

            _out.AddRange(text[..plain]);
            text = text[plain..];
            if (text.IsEmpty)
            {
                return;
            }

            var valid = Rune.DecodeFromUtf8(text, out var rune, out var used) == System.Buffers.OperationStatus.Done;
            switch (valid ? rune.Value : 0xFFFD)
            {
                case '"': _out.AddRange("\\\""u8); break;
                case '\\': _out.AddRange("\\\\"u8); break;
                case '\n': _out.AddRange("\\n"u8); break;
                case '\r': _out.AddRange("\\r"u8); break;
                case '\t': _out.AddRange("\\t"u8); break;
                case var c when !valid || c < 0x20 || c is '<' or '>' or '&' or 0x2028 or 0x2029:
                    _out.AddRange(Encoding.ASCII.GetBytes("\\u" + c.ToString("x4", CultureInfo.InvariantCulture)));
                    break;
                default: _out.AddRange(text[..used]); break;
            }

            text = text[used..];
        }
    }
}

/// <summary>Times as Unix nanoseconds and as RFC 3339 with nanoseconds, trailing zeros cut, as Go writes them.</summary>
public static class Timestamp
{
    public static long Now() => (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) * 100;

    public static string Format(long unixNanoseconds)
    {
        var time = DateTime.UnixEpoch.AddTicks(unixNanoseconds / 100);
        var fraction = (unixNanoseconds % 1_000_000_000).ToString("000000000", CultureInfo.InvariantCulture).TrimEnd('0');
        return time.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture) + (fraction.Length > 0 ? "." + fraction : "") + "Z";
    }
}
