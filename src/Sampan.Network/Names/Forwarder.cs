using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Sampan.Network.Names;

/// <summary>
/// Questions on their way to servers. The first server is asked; the next one as well when the first has failed or is slow, and so on; the
/// first good answer is the answer. The same question of several clients is one. What a server says is passed on as it is.
/// </summary>
internal sealed class Forwarder(ResolverLoop loop, AnswerCache cache)
{
    /// <summary>Milliseconds until the next server is asked too, until a datagram is sent again, and until it is given up.</summary>
    private const int NextMs = 250, AgainMs = 1500, GiveUpMs = 4500;

    /// <summary>How many questions may be on their way.</summary>
    private const int ExchangeLimit = 1024;

    private readonly Dictionary<byte[], Exchange> _exchanges = new(BytesComparer.Instance);
    private readonly List<Exchange> _late = [];
    private readonly byte[] _message = new byte[ushort.MaxValue];

    /// <summary>Where servers' datagrams are received.</summary>
    public byte[] Buffer { get; } = new byte[ushort.MaxValue];

    /// <summary>How many are on their way.</summary>
    public int Count => _exchanges.Count;

    /// <summary>Takes a question along; false when it cannot be: no servers, or too many are waiting already.</summary>
    public bool TryForward(
        DnsQuery query, ReadOnlySpan<byte> key, UpstreamGroup servers, Asker asker, IAnswerTo to, ulong client, int limit, bool isStream)
    {
        if (servers.Servers.Length == 0 || asker.Pending >= Asker.PendingLimit)
        {
            return false;
        }

        // Options make an answer its client's own: such a question is asked by itself.
        var own = query.HasOptions ? (byte[])[.. key, .. RandomNumberGenerator.GetBytes(8)] : null;
        if (own is not null || !_exchanges.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var exchange))
        {
            if (_exchanges.Count >= ExchangeLimit)
            {
                return false;
            }

            exchange = new Exchange(own ?? key.ToArray(), query.Message.ToArray(), query.Question.Length, servers, isStream)
            {
                IsShared = own is null,
                AgainAt = loop.Now + AgainMs,
                GiveUpAt = loop.Now + GiveUpMs,
            };
            _exchanges.Add(exchange.Key, exchange);
        }

        asker.Pending++;
        exchange.Waiters.Add(new Waiter(
            asker, to, client, BinaryPrimitives.ReadUInt16BigEndian(query.Message), query.Question.ToArray(), limit));
        if (exchange.Waiters.Count == 1)
        {
            AskNext(exchange);
        }

        return true;
    }

    /// <summary>What time brings: the next server, once more, the end.</summary>
    public void Tick()
    {
        foreach (var exchange in _exchanges.Values)
        {
            if (loop.Now >= exchange.NextAt || loop.Now >= exchange.AgainAt || loop.Now >= exchange.GiveUpAt)
            {
                _late.Add(exchange);
            }
        }

        foreach (var exchange in _late)
        {
            if (loop.Now >= exchange.GiveUpAt)
            {
                Fail(exchange);
            }
            else if (exchange.Next < exchange.Group.Servers.Length)
            {
                AskNext(exchange);
            }
            else if (loop.Now >= exchange.AgainAt)
            {
                exchange.AgainAt = long.MaxValue;
                exchange.Sockets.ForEach(s => s.SendAgain());
            }
        }

        _late.Clear();
    }

    /// <summary>A server's message. What is not the answer to the question is not looked at any further.</summary>
    public void Received(Exchange exchange, UpstreamSocket socket, ReadOnlySpan<byte> message)
    {
        if (!exchange.IsAnsweredBy(message))
        {
            return;
        }

        var code = message[3] & 15;
        if (code is Dns.NoError or Dns.NXDomain && AnswerCache.LifetimeSeconds(message) >= 0)
        {
            if (exchange.IsShared)
            {
                cache.Put(QuestionKey.WithoutWay(exchange.Key), message, loop.Now);
            }

            Finish(exchange, message);
            return;
        }

        exchange.Refusal = message.ToArray();
        Failed(exchange, socket);
    }

    /// <summary>A server cannot be reached, or does not want to answer.</summary>
    public void Failed(Exchange exchange, UpstreamSocket socket)
    {
        loop.Close(socket);
        exchange.Sockets.Remove(socket);
        if (exchange.Next < exchange.Group.Servers.Length)
        {
            AskNext(exchange);
        }
        else if (exchange.Sockets.Count == 0)
        {
            Fail(exchange);
        }
    }

    private void AskNext(Exchange exchange)
    {
        while (exchange.Next < exchange.Group.Servers.Length)
        {
            var server = exchange.Group.Servers[exchange.Next++];
            exchange.NextAt = exchange.Next < exchange.Group.Servers.Length ? loop.Now + NextMs : long.MaxValue;
            if (UpstreamSocket.TryOpen(server, exchange, this, loop) is { } socket)
            {
                exchange.Sockets.Add(socket);
                return;
            }
        }

        if (exchange.Sockets.Count == 0)
        {
            // Not now: whoever asked is still on the stack.
            exchange.GiveUpAt = loop.Now;
        }
    }

    private void Fail(Exchange exchange)
    {
        if (exchange.Refusal is { } refusal)
        {
            Finish(exchange, refusal);
            return;
        }

        var query = DnsQuery.Read(exchange.Query);
        var answer = new byte[Dns.PlainPayload];
        Finish(exchange, answer.AsSpan(0, DnsAnswer.Empty(query, answer, Dns.ServFail)));
    }

    /// <summary>Tells all who wait, each under its own id and in its own spelling.</summary>
    private void Finish(Exchange exchange, ReadOnlySpan<byte> message)
    {
        _exchanges.Remove(exchange.Key);
        exchange.Sockets.ForEach(loop.Close);
        exchange.Sockets.Clear();
        var answer = _message.AsSpan(0, message.Length);
        message.CopyTo(answer);
        foreach (var waiter in exchange.Waiters)
        {
            waiter.Asker.Pending--;
            BinaryPrimitives.WriteUInt16BigEndian(answer, waiter.Id);
            waiter.Question.CopyTo(answer[Dns.HeaderSize..]);
            if (answer.Length <= waiter.Limit)
            {
                waiter.To.Answer(answer, waiter.Client);
                continue;
            }

            var cut = new byte[Dns.PlainPayload];
            exchange.Query.CopyTo(_message, 0);
            BinaryPrimitives.WriteUInt16BigEndian(_message, waiter.Id);
            waiter.Question.CopyTo(_message, Dns.HeaderSize);
            waiter.To.Answer(cut.AsSpan(0, DnsAnswer.Truncated(DnsQuery.Read(_message.AsSpan(0, exchange.Query.Length)), cut)), waiter.Client);
            message.CopyTo(answer);
        }
    }
}
