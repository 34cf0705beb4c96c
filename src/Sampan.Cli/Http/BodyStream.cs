using System.Globalization;

namespace Sampan.Cli.Http;

/// <summary>A response's body: of known length, in chunks, or up to the end of the connection.</summary>
internal sealed class BodyStream(HttpConnection connection, BodyStream.Kind kind, long length) : SequentialStream
{
    private long _left = length;
    private bool _finished = kind == Kind.Length && length == 0;
    private bool _inChunks;

    internal enum Kind
    {
        Length,
        Chunked,
        UntilEnd,
    }

    /// <summary>Nothing of the body is left on the connection.</summary>
    public bool Finished => _finished;

    public override bool CanRead => true;

    public override int Read(Span<byte> buffer)
    {
        if (_finished || buffer.IsEmpty) return 0;
        if (kind == Kind.UntilEnd)
        {
            var got = connection.Read(buffer);
            _finished = got == 0;
            return got;
        }

        if (_left == 0 && kind == Kind.Chunked && !NextChunk()) return 0;
        var count = connection.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
        if (count == 0) throw new EndOfStreamException("unexpected end of the daemon's answer");
        _left -= count;
        _finished = kind == Kind.Length && _left == 0;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    private bool NextChunk()
    {
        if (_inChunks) connection.ReadLine();
        _inChunks = true;
        var line = connection.ReadLine();
        var extension = line.IndexOf(';');
        var size = extension < 0 ? line : line[..extension];
        if (!long.TryParse(size.Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _left) || _left < 0)
        {
            throw new IOException($"the daemon sent a bad chunk size '{size}'");
        }

        if (_left > 0) return true;
        while (connection.ReadLine().Length > 0)
        {
            // Trailers say nothing we need.
        }

        _finished = true;
        return false;
    }
}

/// <summary>Writes a request's body in chunks.</summary>
internal sealed class ChunkedWriter(HttpConnection connection) : SequentialStream
{
    public override bool CanWrite => true;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.IsEmpty) return;
        Span<byte> head = stackalloc byte[18];
        buffer.Length.TryFormat(head, out var digits, "x", CultureInfo.InvariantCulture);
        "\r\n"u8.CopyTo(head[digits..]);
        connection.Write(head[..(digits + 2)]);
        connection.Write(buffer);
        connection.Write("\r\n"u8);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Ends the body.</summary>
    public void Finish() => connection.Write("0\r\n\r\n"u8);
}
