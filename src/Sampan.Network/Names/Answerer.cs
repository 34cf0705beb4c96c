using System.Buffers.Binary;

namespace Sampan.Network.Names;

/// <summary>
/// What a container's question is answered with: (1) what is wrong with it, (2) a neighbour's address or name, (3) what is known from
/// before, (4) whatever the servers say. One thread, buffers of its own; a look-up of a neighbour allocates nothing.
/// </summary>
internal sealed class Answerer(NameTable names, AnswerCache cache, Upstreams upstreams, Forwarder forwarder, ResolverLoop loop)
{
    private readonly byte[] _answer = new byte[ushort.MaxValue];
    private readonly byte[] _key = new byte[QuestionKey.Limit];
    private readonly char[] _name = new char[Dns.NameLimit];

    /// <summary>Where datagrams are received.</summary>
    public byte[] Query { get; } = new byte[Dns.QueryLimit];

    /// <summary>Where datagrams with their headers are made.</summary>
    public byte[] Packet { get; } = new byte[Linux.InetSocket.RawHeaderSize + ushort.MaxValue];

    public void Answer(Asker asker, IAnswerTo to, ulong client, ReadOnlySpan<byte> message, bool isStream)
    {
        // :: 1 what is wrong with it
        var query = DnsQuery.Read(message);
        var code = query.State switch
        {
            QueryState.Malformed => Dns.FormErr,
            QueryState.Unknown => Dns.NotImp,
            QueryState.BadVersion => Dns.BadVers,
            _ => Dns.NoError,
        };
        if (query.State == QueryState.Drop)
        {
            return;
        }

        if (code != Dns.NoError)
        {
            to.Answer(_answer.AsSpan(0, DnsAnswer.Empty(query, _answer, code)), client);
            return;
        }

        // :: 2 a neighbour
        var limit = isStream ? ushort.MaxValue : Math.Min(query.PayloadSize, Dns.QueryLimit);
        var length = FromNames(asker.Container, query, limit);
        if (length > 0)
        {
            to.Answer(_answer.AsSpan(0, length), client);
            return;
        }

        // :: 3 known from before
        var servers = upstreams.Of(asker, loop.Now);
        var key = _key.AsSpan(0, QuestionKey.Write(query, servers.Id, isStream, _key));
        if (!query.HasOptions && cache.TryGet(QuestionKey.WithoutWay(key), loop.Now, _answer, out length))
        {
            BinaryPrimitives.WriteUInt16BigEndian(_answer, BinaryPrimitives.ReadUInt16BigEndian(query.Message));
            query.Question.CopyTo(_answer.AsSpan(Dns.HeaderSize));
            length = length <= limit ? length : DnsAnswer.Truncated(query, _answer);
            to.Answer(_answer.AsSpan(0, length), client);
            return;
        }

        // :: 4 the servers
        if (!forwarder.TryForward(query, key, servers, asker, to, client, limit, isStream))
        {
            to.Answer(_answer.AsSpan(0, DnsAnswer.Empty(query, _answer, Dns.ServFail)), client);
        }
    }

    /// <summary>The length of the answer that this machine's containers give; 0 when others are to be asked.</summary>
    private int FromNames(NamedContainer asker, DnsQuery query, int limit)
    {
        var length = 0;
        if (query.Class == Dns.IN && DnsName.TryToText(query.Name, _name, out length))
        {
            var name = _name.AsSpan(0, length);
            if (names.Find(asker, name) is { } bearers)
            {
                var answer = new DnsAnswer(query, _answer, limit, Dns.NoError);
                bearers.AddTo(ref answer, query.Type);
                return answer.Finish();
            }

            if (query.Type == Dns.PTR && DnsName.TryReverse(name, out var address) && names.FindReverse(asker, address) is { } found)
            {
                return Reverse(query, found, limit);
            }

            if (asker.KeepsSingleLabels && query.Type is Dns.A or Dns.AAAA && !name.Contains('.'))
            {
                return DnsAnswer.Empty(query, _answer, Dns.NoError);
            }
        }

        return asker.Forwards ? 0 : DnsAnswer.Empty(query, _answer, Dns.NXDomain);
    }

    private int Reverse(DnsQuery query, string found, int limit)
    {
        Span<byte> wire = stackalloc byte[Dns.NameLimit + 1];
        var answer = new DnsAnswer(query, _answer, limit, Dns.NoError);
        if (DnsName.TryToWire(found, wire, out var length))
        {
            answer.Add(Dns.PTR, wire[..length]);
        }

        return answer.Finish();
    }
}

/// <summary>
/// What makes two questions one: servers, way, what the client wants to be told, and the question in lower case.
/// </summary>
internal static class QuestionKey
{
    public const int Limit = 6 + Dns.NameLimit + 5;

    public static int Write(DnsQuery query, int servers, bool isStream, Span<byte> key)
    {
        key[0] = (byte)(isStream ? 1 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(key[1..], servers);
        key[5] = (byte)((query.Flags & (Dns.AD | Dns.CD)) | ((query.Flags & Dns.RD) != 0 ? 1 : 0) | (query.HasEdns ? 2 : 0) | (query.DnssecOk ? 4 : 0));
        var question = key.Slice(6, query.Question.Length);
        query.Question.CopyTo(question);
        Lower(question[..^4]);
        return 6 + query.Question.Length;
    }

    /// <summary>The key of the cache: it keeps whole answers only, so it does not matter which way they came.</summary>
    public static ReadOnlySpan<byte> WithoutWay(ReadOnlySpan<byte> key) => key[1..];

    /// <summary>Letters in lower case; lengths of labels are below them (RFC 4343).</summary>
    public static void Lower(Span<byte> name)
    {
        foreach (ref var b in name)
        {
            b = b is >= (byte)'A' and <= (byte)'Z' ? (byte)(b | 0x20) : b;
        }
    }
}
