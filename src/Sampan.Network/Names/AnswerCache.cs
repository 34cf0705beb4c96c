using System.Buffers.Binary;

namespace Sampan.Network.Names;

/// <summary>
/// Answers of servers, for as long as they hold. Bounded: when the young half is full, it becomes the old half, and what was in that and has
/// not been asked for since is forgotten.
/// </summary>
/// <param name="halfBytes">How much each half may hold, keys included.</param>
internal sealed class AnswerCache(int halfBytes = AnswerCache.HalfBytes)
{
    private const int HalfBytes = 1 << 20, EntryOverhead = 128;

    /// <summary>The longest times in seconds that an answer, and that the lack of one, is believed.</summary>
    private const uint LongestSeconds = 3600, LongestNegativeSeconds = 300;

    private readonly record struct Entry(byte[] Message, long StoredAt, long ExpiresAt);

    private Dictionary<byte[], Entry> _young = new(BytesComparer.Instance), _old = new(BytesComparer.Instance);
    private int _youngBytes;

    /// <summary>Copies an answer, its times to live shortened by its age; false when there is none that still holds.</summary>
    /// <param name="now">In milliseconds of a clock that never goes back.</param>
    public bool TryGet(ReadOnlySpan<byte> key, long now, Span<byte> buffer, out int length)
    {
        length = 0;
        if (!_young.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var entry))
        {
            if (!_old.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out entry))
            {
                return false;
            }

            if (now < entry.ExpiresAt)
            {
                Keep(key.ToArray(), entry);
            }
        }

        if (now >= entry.ExpiresAt)
        {
            return false;
        }

        length = entry.Message.Length;
        entry.Message.CopyTo(buffer);
        Age(buffer[..length], (uint)((now - entry.StoredAt) / 1000));
        return true;
    }

    /// <summary>Keeps an answer, if it may be kept.</summary>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, long now)
    {
        var seconds = LifetimeSeconds(message);
        if (seconds > 0)
        {
            Keep(key.ToArray(), new Entry(message.ToArray(), now, now + seconds * 1000L));
        }
    }

    /// <summary>
    /// How long an answer holds, in seconds: the least time to live of its records, or of the zone's record when there are none (RFC 2308);
    /// 0 when it may not be kept; -1 when it is malformed.
    /// </summary>
    public static int LifetimeSeconds(ReadOnlySpan<byte> message)
    {
        var at = Dns.HeaderSize;
        if (message.Length < at || !DnsRecord.SkipName(message, ref at, pointers: false) || (at += 4) > message.Length)
        {
            return -1;
        }

        var flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        var answers = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        var records = answers + BinaryPrimitives.ReadUInt16BigEndian(message[8..]) + BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        var isNegative = answers == 0 || (flags & 15) == Dns.NXDomain;
        var (least, zone) = (uint.MaxValue, 0u);
        for (var i = 0; i < records; i++)
        {
            if (!DnsRecord.TryRead(message, ref at, out var record))
            {
                return -1;
            }

            if (record.Type == Dns.SOA && record.DataLength >= 4)
            {
                zone = Math.Min(record.Ttl, BinaryPrimitives.ReadUInt32BigEndian(message[(record.DataAt + record.DataLength - 4)..]));
            }

            least = record.Type == Dns.OPT ? least : Math.Min(least, record.Ttl);
        }

        return (flags & Dns.TC) != 0 || (flags & 15) is not (Dns.NoError or Dns.NXDomain) ? 0
            : (int)(isNegative ? Math.Min(zone, LongestNegativeSeconds) : Math.Min(least, LongestSeconds));
    }

    private static void Age(Span<byte> message, uint seconds)
    {
        var at = Dns.HeaderSize;
        DnsRecord.SkipName(message, ref at, pointers: false);
        at += 4;
        while (at < message.Length && DnsRecord.TryRead(message, ref at, out var record))
        {
            if (record.Type != Dns.OPT)
            {
                BinaryPrimitives.WriteUInt32BigEndian(message[record.TtlAt..], record.Ttl > seconds ? record.Ttl - seconds : 1);
            }
        }
    }

    private void Keep(byte[] key, Entry entry)
    {
        var size = key.Length + entry.Message.Length + EntryOverhead;
        if (_youngBytes + size > halfBytes)
        {
            (_old, _young, _youngBytes) = (_young, _old, 0);
            _young.Clear();
        }

        _youngBytes += size;
        _young[key] = entry;
    }
}

/// <summary>Byte strings as keys that are looked up by span.</summary>
internal sealed class BytesComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static BytesComparer Instance { get; } = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(byte[] key) => GetHashCode(key.AsSpan());

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        var hash = new HashCode(); // seeded by chance: nobody can choose names that collide
        hash.AddBytes(alternate);
        return hash.ToHashCode();
    }

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
