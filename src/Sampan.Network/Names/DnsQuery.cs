using System.Buffers.Binary;

namespace Sampan.Network.Names;

/// <summary>What becomes of a message that claims to be a query.</summary>
internal enum QueryState
{
    /// <summary>One question, understood.</summary>
    Good,

    /// <summary>No query, or too short to be answered.</summary>
    Drop,

    /// <summary>Malformed: FORMERR.</summary>
    Malformed,

    /// <summary>Another operation than QUERY: NOTIMP.</summary>
    Unknown,

    /// <summary>A version of EDNS that does not exist yet: BADVERS.</summary>
    BadVersion,
}

/// <summary>
/// A query as it came (RFC 1035, section 4; EDNS of RFC 6891). Strict: one question whose name is not compressed, nothing behind the last
/// record; every length is checked before it is used, and no pointer is ever followed.
/// </summary>
internal readonly ref struct DnsQuery
{
    private DnsQuery(ReadOnlySpan<byte> message, QueryState state, int questionEnd, int payload, bool hasEdns, bool dnssecOk, bool hasOptions)
    {
        Message = message;
        (State, PayloadSize, HasEdns, DnssecOk, HasOptions) = (state, payload, hasEdns, dnssecOk, hasOptions);
        Question = message[Math.Min(Dns.HeaderSize, message.Length)..Math.Max(Math.Min(Dns.HeaderSize, message.Length), questionEnd)];
    }

    public ReadOnlySpan<byte> Message { get; }

    public QueryState State { get; }

    /// <summary>Name, type and class; empty when it could not be read.</summary>
    public ReadOnlySpan<byte> Question { get; }

    /// <summary>What the client takes by UDP, 512 to 65535 bytes.</summary>
    public int PayloadSize { get; }

    public bool HasEdns { get; }

    /// <summary>The client wants signatures.</summary>
    public bool DnssecOk { get; }

    /// <summary>The client sent options (a cookie, its subnet), which make the answer its own.</summary>
    public bool HasOptions { get; }

    public ushort Flags => BinaryPrimitives.ReadUInt16BigEndian(Message[2..]);

    /// <summary>The name on the wire, its last zero included.</summary>
    public ReadOnlySpan<byte> Name => Question[..^4];

    public ushort Type => BinaryPrimitives.ReadUInt16BigEndian(Question[^4..]);

    public ushort Class => BinaryPrimitives.ReadUInt16BigEndian(Question[^2..]);

    public static DnsQuery Read(ReadOnlySpan<byte> message)
    {
        // :: 1 header
        if (message.Length < Dns.HeaderSize || (BinaryPrimitives.ReadUInt16BigEndian(message[2..]) & Dns.QR) != 0)
        {
            return new DnsQuery(message, QueryState.Drop, 0, Dns.PlainPayload, false, false, false);
        }

        if ((BinaryPrimitives.ReadUInt16BigEndian(message[2..]) & Dns.Opcode) != 0)
        {
            return new DnsQuery(message, QueryState.Unknown, 0, Dns.PlainPayload, false, false, false);
        }

        // :: 2 question
        var end = Dns.HeaderSize;
        var isOne = BinaryPrimitives.ReadUInt16BigEndian(message[4..]) == 1 && BinaryPrimitives.ReadUInt32BigEndian(message[6..]) == 0;
        if (!isOne || !DnsRecord.SkipName(message, ref end, pointers: false) || message.Length - end < 4)
        {
            return new DnsQuery(message, QueryState.Malformed, 0, Dns.PlainPayload, false, false, false);
        }

        end += 4;

        // :: 3 what is added: EDNS, a signature
        var (at, payload, hasEdns, dnssecOk, hasOptions, state) = (end, Dns.PlainPayload, false, false, false, QueryState.Good);
        for (var left = BinaryPrimitives.ReadUInt16BigEndian(message[10..]); left > 0; left--)
        {
            var isRoot = at < message.Length && message[at] == 0;
            if (!DnsRecord.TryRead(message, ref at, out var record) || (record.Type == Dns.OPT && (hasEdns || !isRoot)))
            {
                return new DnsQuery(message, QueryState.Malformed, end, Dns.PlainPayload, false, false, false);
            }

            if (record.Type == Dns.OPT)
            {
                (hasEdns, payload) = (true, Math.Max(Dns.PlainPayload, (int)record.Class));
                (dnssecOk, hasOptions) = ((record.Ttl & 0x8000) != 0, record.DataLength > 0);
                state = (record.Ttl >> 16 & 0xff) == 0 ? state : QueryState.BadVersion;
            }
            else
            {
                hasOptions = true; // signed, perhaps: the answer is for this client alone
            }
        }

        return new DnsQuery(message, at == message.Length ? state : QueryState.Malformed, end, payload, hasEdns, dnssecOk, hasOptions);
    }
}

/// <summary>A resource record's frame; its data stay where they are.</summary>
internal readonly record struct DnsRecord(ushort Type, ushort Class, uint Ttl, int TtlAt, int DataAt, int DataLength)
{
    /// <summary>Reads the record at a position and moves behind it; false when the message ends before the record does.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, ref int at, out DnsRecord record)
    {
        record = default;
        if (!SkipName(message, ref at, pointers: true) || message.Length - at < 10)
        {
            return false;
        }

        var frame = message[at..];
        record = new DnsRecord(
            BinaryPrimitives.ReadUInt16BigEndian(frame),
            BinaryPrimitives.ReadUInt16BigEndian(frame[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(frame[4..]),
            at + 4,
            at + 10,
            BinaryPrimitives.ReadUInt16BigEndian(frame[8..]));
        at = record.DataAt + record.DataLength;
        return at <= message.Length;
    }

    /// <summary>
    /// Moves behind a name. A pointer ends it and is not followed, so there is no loop to be caught in: nobody here needs the name that it
    /// stands for.
    /// </summary>
    public static bool SkipName(ReadOnlySpan<byte> message, ref int at, bool pointers)
    {
        var start = at;
        while (at < message.Length && at - start < Dns.NameLimit)
        {
            int length = message[at++];
            if (length == 0)
            {
                return true;
            }

            if (length > Dns.LabelLimit)
            {
                return pointers && length >= 0xC0 && at++ < message.Length;
            }

            at += length;
        }

        return false;
    }
}
