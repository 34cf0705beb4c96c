using System.Buffers.Binary;

namespace Sampan.Network.Names;

/// <summary>Writes an answer to a query: its header and question, then records whose name is the question's, then EDNS if the query had it.</summary>
internal ref struct DnsAnswer
{
    /// <summary>How long a client may keep the address of a container, in seconds: short, since containers come and go.</summary>
    public const uint TtlSeconds = 5;

    private const int OptSize = 11, QuestionPointer = 0xC00C;
    private readonly Span<byte> _buffer;
    private readonly int _limit, _extended;
    private readonly bool _hasEdns;
    private int _length;
    private ushort _records, _flags;

    /// <param name="buffer">Where the answer goes, at least <paramref name="limit"/> long.</param>
    /// <param name="limit">How long the answer may become, 512 to 65535 bytes; what does not fit is left out, and it says so (TC).</param>
    public DnsAnswer(DnsQuery query, Span<byte> buffer, int limit, int code)
    {
        _buffer = buffer;
        (_hasEdns, _extended) = (query.HasEdns, code >> 4);
        _limit = limit - (_hasEdns ? OptSize : 0);
        query.Message[..4].CopyTo(buffer);
        _flags = (ushort)((query.Flags & (Dns.Opcode | Dns.RD | Dns.CD)) | Dns.QR | Dns.RA | (code & 15));
        buffer[4..Dns.HeaderSize].Clear();
        buffer[5] = (byte)(query.Question.Length > 0 ? 1 : 0);
        query.Question.CopyTo(buffer[Dns.HeaderSize..]);
        _length = Dns.HeaderSize + query.Question.Length;
    }

    /// <summary>The whole of an answer that has no records.</summary>
    public static int Empty(DnsQuery query, Span<byte> buffer, int code) => new DnsAnswer(query, buffer, Dns.PlainPayload, code).Finish();

    /// <summary>An answer too long for this client's way: nothing but the hint to come by TCP.</summary>
    public static int Truncated(DnsQuery query, Span<byte> buffer)
    {
        var answer = new DnsAnswer(query, buffer, Dns.PlainPayload, Dns.NoError);
        answer._flags |= Dns.TC;
        return answer.Finish();
    }

    public void Add(ushort type, scoped ReadOnlySpan<byte> data)
    {
        if (_length + 12 + data.Length > _limit)
        {
            _flags |= Dns.TC;
            return;
        }

        var at = _buffer[_length..];
        BinaryPrimitives.WriteUInt16BigEndian(at, QuestionPointer);
        BinaryPrimitives.WriteUInt16BigEndian(at[2..], type);
        BinaryPrimitives.WriteUInt16BigEndian(at[4..], Dns.IN);
        BinaryPrimitives.WriteUInt32BigEndian(at[6..], TtlSeconds);
        BinaryPrimitives.WriteUInt16BigEndian(at[10..], (ushort)data.Length);
        data.CopyTo(at[12..]);
        _length += 12 + data.Length;
        _records++;
    }

    /// <summary>The answer's length.</summary>
    public int Finish()
    {
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[2..], _flags);
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[6..], _records);
        if (_hasEdns)
        {
            var opt = _buffer.Slice(_length, OptSize);
            opt.Clear();
            opt[2] = (byte)Dns.OPT;
            BinaryPrimitives.WriteUInt16BigEndian(opt[3..], Dns.OwnPayload);
            opt[5] = (byte)_extended;
            _buffer[11] = 1;
            _length += OptSize;
        }

        return _length;
    }
}
