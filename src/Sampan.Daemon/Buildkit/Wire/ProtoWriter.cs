using System.Buffers;
using System.Text;

namespace Sampan.Daemon.Buildkit.Wire;

/// <summary>Writes the fields of a protobuf message. As proto3 has it, zeros and empty values are left out.</summary>
internal sealed class ProtoWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    public ProtoWriter UInt64(int field, ulong value)
    {
        if (value != 0)
        {
            Varint(((ulong)field << 3) | (ulong)WireType.Varint);
            Varint(value);
        }

        return this;
    }

    public ProtoWriter Int64(int field, long value) => UInt64(field, (ulong)value);

    public ProtoWriter Bool(int field, bool value) => UInt64(field, value ? 1UL : 0);

    public ProtoWriter Bytes(int field, ReadOnlySpan<byte> value) => value.IsEmpty ? this : Always(field, value);

    public ProtoWriter String(int field, string? value) => string.IsNullOrEmpty(value) ? this : Always(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A string whose bytes need not be UTF-8, see <see cref="ProtoReader.ByteString"/>.</summary>
    public ProtoWriter ByteString(int field, string value) => Bytes(field, Encoding.Latin1.GetBytes(value));

    /// <summary>A message within the message; it is there even when it is empty.</summary>
    public ProtoWriter Message(int field, Action<ProtoWriter> write)
    {
        var inner = new ProtoWriter();
        write(inner);
        return Always(field, inner._bytes.WrittenSpan);
    }

    public ProtoWriter Map(int field, IEnumerable<KeyValuePair<string, string>> map)
    {
        foreach (var (key, value) in map)
        {
            Message(field, entry => entry.String(1, key).String(2, value));
        }

        return this;
    }

    /// <summary>A <c>google.protobuf.Timestamp</c>; null is left out.</summary>
    public ProtoWriter Time(int field, DateTimeOffset? time)
    {
        const int NanosecondsPerTick = 100;
        return time is not { } at ? this : Message(field, stamp => stamp
            .Int64(1, at.ToUnixTimeSeconds()).Int64(2, at.UtcTicks % TimeSpan.TicksPerSecond * NanosecondsPerTick));
    }

    private ProtoWriter Always(int field, ReadOnlySpan<byte> value)
    {
        Varint(((ulong)field << 3) | (ulong)WireType.Bytes);
        Varint((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    private void Varint(ulong value)
    {
        var span = _bytes.GetSpan(10);
        var count = 0;
        for (; value >= 0x80; value >>= 7)
        {
            span[count++] = (byte)(value | 0x80);
        }

        span[count++] = (byte)value;
        _bytes.Advance(count);
    }
}
