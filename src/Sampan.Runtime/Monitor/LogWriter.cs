using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// Writes Docker's json-file format, one object a line: <c>{"log":"…\n","stream":"stdout","time":"…"}</c>. Lines are split at 16 KiB, as
/// Docker splits them, and files are rotated by size. A write that fails (a full disk) loses lines, never the container.
/// </summary>
internal sealed class LogWriter
{
    private const int SplitAt = 16 * 1024;

    /// <summary>Bytes of entries that are collected before a write.</summary>
    private const int FlushAt = 32 * 1024;

    private readonly LogFile _file;
    private readonly Line _stdout = new(), _stderr = new();
    private readonly byte[] _now = new byte[Timestamp.MaxLength];
    private LogBuffer _entries;
    private int _entryCount;
    private bool _closed;

    public LogWriter(string path, long maxBytes, int maxFiles) => _file = new LogFile(path, maxBytes, maxFiles);

    /// <summary>Lines, or parts of long ones, that could not be written.</summary>
    public long LostLines { get; private set; }

    /// <summary>Why the last of them could not be.</summary>
    public string? LastError { get; private set; }

    /// <param name="stream"><see cref="MonitorFrames.Stdout"/> or <see cref="MonitorFrames.Stderr"/>.</param>
    public void Write(byte stream, ReadOnlySpan<byte> data)
    {
        var line = stream == MonitorFrames.Stdout ? _stdout : _stderr;
        var now = _now.AsSpan(0, Timestamp.Write(_now, Timestamp.Now()));
        while (!data.IsEmpty)
        {
            var room = SplitAt - line.Length;
            var part = data[..Math.Min(room, data.Length)];
            var newline = part.IndexOf((byte)'\n');
            if (newline < 0 && part.Length < room)
            {
                line.Append(part, now);
                break;
            }

            // A line that is as long as the limit is written as such; its newline follows as an entry of its own, as Docker has it.
            part = newline < 0 ? part : part[..(newline + 1)];
            Entry(stream, line, part, now, ends: newline >= 0);
            data = data[part.Length..];
        }

        Flush();
    }

    /// <summary>Writes what has no newline yet and closes.</summary>
    public void Close()
    {
        if (_closed)
        {
            return;
        }

        var now = _now.AsSpan(0, Timestamp.Write(_now, Timestamp.Now()));
        foreach (var (stream, line) in (ReadOnlySpan<(byte, Line)>)[(MonitorFrames.Stdout, _stdout), (MonitorFrames.Stderr, _stderr)])
        {
            if (line.Length > 0)
            {
                Entry(stream, line, [], now, ends: true);
            }
        }

        Flush();
        _file.Close();
        _closed = true;
    }

    private void Entry(byte stream, Line line, ReadOnlySpan<byte> part, ReadOnlySpan<byte> now, bool ends)
    {
        if (_file.IsFull(_entries.Length) || _entries.Length >= FlushAt)
        {
            Flush();
        }

        var text = part;
        if (line.Length > 0)
        {
            line.Append(part, now);
            text = line.Text;
        }

        _entries.Add("{\"log\":\""u8);
        _entries.AddEscaped(text);
        _entries.Add(stream == MonitorFrames.Stdout ? "\",\"stream\":\"stdout\",\"time\":\""u8 : "\",\"stream\":\"stderr\",\"time\":\""u8);

        // All parts of a long line have the time of the first.
        _entries.Add(line.HasTime ? line.Time : now);
        _entries.Add("\"}\n"u8);
        _entryCount++;
        line.Clear(ends, now);
    }

    private void Flush()
    {
        if (_entryCount == 0)
        {
            return;
        }

        try
        {
            _file.Write(_entries.Written);
        }
        catch (SyscallException e)
        {
            LostLines += _entryCount;
            LastError = e.Message;
        }

        _entries.Clear();
        _entryCount = 0;
    }

    /// <summary>The line that a stream is in the middle of.</summary>
    private sealed class Line
    {
        private readonly byte[] _time = new byte[Timestamp.MaxLength];
        private byte[] _text = [];
        private int _timeLength;

        public int Length { get; private set; }

        public ReadOnlySpan<byte> Text => _text.AsSpan(0, Length);

        public bool HasTime => _timeLength > 0;

        public ReadOnlySpan<byte> Time => _time.AsSpan(0, _timeLength);

        public void Append(ReadOnlySpan<byte> part, ReadOnlySpan<byte> now)
        {
            if (_text.Length < Length + part.Length)
            {
                Array.Resize(ref _text, Math.Min(SplitAt, Math.Max(256, (Length + part.Length) * 2)));
            }

            part.CopyTo(_text.AsSpan(Length));
            Length += part.Length;
            if (!HasTime)
            {
                SetTime(now);
            }
        }

        /// <summary>After an entry. When the line goes on, its time stays.</summary>
        public void Clear(bool ends, ReadOnlySpan<byte> now)
        {
            Length = 0;
            if (ends)
            {
                _timeLength = 0;
            }
            else if (!HasTime)
            {
                SetTime(now);
            }
        }

        private void SetTime(ReadOnlySpan<byte> now)
        {
            now.CopyTo(_time);
            _timeLength = now.Length;
        }
    }
}
