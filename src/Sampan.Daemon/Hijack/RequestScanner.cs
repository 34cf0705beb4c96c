using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Sampan.Daemon.Hijack;

/// <summary>
/// Follows the bytes of an HTTP/1.1 connection just far enough to know which of them are request heads, and in those renames the headers
/// <c>Upgrade</c> and <c>Connection: Upgrade</c> in place, before Kestrel reads them.
/// </summary>
/// <remarks>
/// Why: Kestrel refuses a body together with <c>Upgrade</c> (docker exec sends one), and loses output after the client's half-close on an
/// upgraded request. With the headers out of its sight every request is a plain one, and a handler takes the raw connection itself.
/// Malformed requests need no care here: Kestrel refuses them and closes the connection.
/// </remarks>
internal sealed class RequestScanner
{
    /// <summary>The name under which handlers find a client's <c>Upgrade</c> header. As long as the real one, for it is written over it.</summary>
    public const string MaskedUpgrade = "X-Upgrd";

    private const int LineLimit = 256;

    private static ReadOnlySpan<byte> MaskedUpgradeBytes => "X-Upgrd"u8;

    private static ReadOnlySpan<byte> MaskedConnectionBytes => "X-Conectio"u8;

    private enum State
    {
        Head,
        FixedBody,
        ChunkSize,
        ChunkData,
        Trailer,
        Paused,
    }

    private readonly byte[] _line = new byte[LineLimit];
    private int _lineLength;
    private bool _lineTooLong;
    private bool _requestLineSeen, _chunked, _upgrade;
    private long _left;
    private volatile State _state = State.Head;

    /// <summary>True between a request that asked for an upgrade and its handler's end.</summary>
    public bool IsPaused => _state == State.Paused;

    /// <summary>Looks at the bytes from <paramref name="from"/> on; returns the offset up to which it has looked.</summary>
    public long Scan(in ReadOnlySequence<byte> buffer, long from)
    {
        var position = from;
        while (position < buffer.Length && _state != State.Paused)
        {
            if (_state is State.FixedBody or State.ChunkData)
            {
                var skip = Math.Min(_left, buffer.Length - position);
                position += skip;
                _left -= skip;
                if (_left == 0)
                {
                    EndData();
                }
            }
            else
            {
                position = ScanLine(buffer, position);
            }
        }

        return position;
    }

    /// <summary>Goes on after a request that asked for an upgrade: its handler is done and has not taken the connection.</summary>
    public void Resume()
    {
        if (_state == State.Paused)
        {
            _state = State.Head;
        }
    }

    private long ScanLine(in ReadOnlySequence<byte> buffer, long position)
    {
        var rest = buffer.Slice(position);
        var newLine = rest.PositionOf((byte)'\n');
        var line = newLine is { } end ? rest.Slice(0, rest.GetPosition(1, end)) : rest;
        Keep(line);
        position += line.Length;
        if (newLine is not null)
        {
            var text = _line.AsSpan(0, _lineLength).TrimEnd("\r\n"u8);
            EndLine(text, buffer, position);
            (_lineLength, _lineTooLong) = (0, false);
        }

        return position;
    }

    private void Keep(in ReadOnlySequence<byte> part)
    {
        foreach (var memory in part)
        {
            var take = Math.Min(memory.Length, LineLimit - _lineLength);
            memory.Span[..take].CopyTo(_line.AsSpan(_lineLength));
            _lineLength += take;
            _lineTooLong |= take < memory.Length;
        }
    }

    /// <param name="end">The offset just after the line in <paramref name="buffer"/>.</param>
    private void EndLine(ReadOnlySpan<byte> line, in ReadOnlySequence<byte> buffer, long end)
    {
        switch (_state)
        {
            case State.Head when !_requestLineSeen:
                _requestLineSeen = line.Length > 0; // empty lines before a request are allowed
                break;
            case State.Head when line.Length == 0:
                EndHead();
                break;
            case State.Head when !_lineTooLong:
                Header(line, buffer, end);
                break;
            case State.ChunkSize:
                var semicolon = line.IndexOf((byte)';');
                var size = semicolon < 0 ? line : line[..semicolon];
                // A size that does not parse is refused by Kestrel, whatever is assumed here.
                _left = long.TryParse(size.Trim((byte)' '), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var n) ? n : 0;
                (_left, _state) = _left > 0 ? (_left + 2, State.ChunkData) : (0, State.Trailer);
                break;
            case State.Trailer when line.Length == 0:
                EndMessage();
                break;
        }
    }

    private void Header(ReadOnlySpan<byte> line, in ReadOnlySequence<byte> buffer, long end)
    {
        var colon = line.IndexOf((byte)':');
        if (colon <= 0)
        {
            return;
        }

        var name = line[..colon];
        var value = line[(colon + 1)..].Trim(" \t"u8);
        if (Is(name, "upgrade"u8))
        {
            _upgrade = true;
            Overwrite(buffer, end, MaskedUpgradeBytes);
        }
        else if (Is(name, "connection"u8) && Contains(value, "upgrade"u8))
        {
            Overwrite(buffer, end, MaskedConnectionBytes);
        }
        else if (Is(name, "content-length"u8))
        {
            _left = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0;
        }
        else if (Is(name, "transfer-encoding"u8))
        {
            _chunked = Contains(value, "chunked"u8);
        }
    }

    /// <summary>Writes over the start of the line that ends at <paramref name="end"/>.</summary>
    private void Overwrite(in ReadOnlySequence<byte> buffer, long end, ReadOnlySpan<byte> name)
    {
        // A line's start may have been seen in an earlier read, but it is still in the buffer: Kestrel only consumes whole lines.
        var at = buffer.Slice(end - _lineLength, name.Length);
        foreach (var memory in at)
        {
            name[..memory.Length].CopyTo(MemoryMarshal.AsMemory(memory).Span);
            name = name[memory.Length..];
        }
    }

    private void EndHead()
    {
        if (_chunked)
        {
            _state = State.ChunkSize;
        }
        else if (_left > 0)
        {
            _state = State.FixedBody;
        }
        else
        {
            EndMessage();
        }
    }

    private void EndData()
    {
        if (_state == State.ChunkData)
        {
            _state = State.ChunkSize;
        }
        else
        {
            EndMessage();
        }
    }

    private void EndMessage()
    {
        // What follows a request that wants to leave HTTP may be anything: wait until its handler has decided.
        _state = _upgrade ? State.Paused : State.Head;
        (_requestLineSeen, _chunked, _upgrade, _left) = (false, false, false, 0);
    }

    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower) =>
        name.Length == lower.Length && System.Text.Ascii.EqualsIgnoreCase(name, lower);

    private static bool Contains(ReadOnlySpan<byte> value, ReadOnlySpan<byte> lower)
    {
        for (var i = 0; i + lower.Length <= value.Length; i++)
        {
            if (System.Text.Ascii.EqualsIgnoreCase(value.Slice(i, lower.Length), lower))
            {
                return true;
            }
        }

        return false;
    }
}
