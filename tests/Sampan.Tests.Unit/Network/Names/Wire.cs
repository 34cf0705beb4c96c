using System.Buffers.Binary;
using System.Text;
using Sampan.Network.Names;

namespace Sampan.Tests.Unit.Network.Names;

/// <summary>DNS messages made and read by hand, so that nothing of what is tested makes its own proof.</summary>
internal static class Wire
{
    public static byte[] Name(string text)
    {
        var bytes = new List<byte>();
        foreach (var label in text.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.Latin1.GetBytes(label));
        }

        return [.. bytes, 0];
    }

    public static byte[] Query(string name, ushort type = Dns.A, ushort id = 0x1234, ushort flags = Dns.RD, int? payload = null) =>
    [
        .. Words(id, flags, 1, 0, 0, (ushort)(payload is null ? 0 : 1)), .. Name(name), .. Words(type, Dns.IN),
        .. payload is { } size ? (byte[])[0, .. Words(Dns.OPT, (ushort)size, 0, 0, 0)] : [],
    ];

    /// <summary>An answer to a query: the same question, records of the question's name.</summary>
    public static byte[] Answer(byte[] query, int code = 0, params (ushort Type, uint Ttl, byte[] Data)[] records)
    {
        var at = Dns.HeaderSize;
        DnsRecord.SkipName(query, ref at, pointers: false);
        var message = new List<byte>(query[..(at + 4)]);
        foreach (var (type, ttl, data) in records)
        {
            message.AddRange([.. Words(0xC00C, type, Dns.IN, (ushort)(ttl >> 16), (ushort)ttl, (ushort)data.Length), .. data]);
        }

        byte[] result = [.. message];
        BinaryPrimitives.WriteUInt16BigEndian(result.AsSpan(2), (ushort)(Dns.QR | Dns.RD | Dns.RA | code));
        var isZone = records is [(Dns.SOA, _, _)];
        BinaryPrimitives.WriteUInt16BigEndian(result.AsSpan(6), (ushort)(isZone ? 0 : records.Length));
        BinaryPrimitives.WriteUInt16BigEndian(result.AsSpan(8), (ushort)(isZone ? 1 : 0));
        BinaryPrimitives.WriteUInt16BigEndian(result.AsSpan(10), 0);
        return result;
    }

    /// <summary>Code and records of an answer, e.g. <c>0 A 10.0.0.1 A 10.0.0.2</c>; TC at the end when it is cut.</summary>
    public static string Show(byte[] message)
    {
        Assert.True((message[2] & 0x80) != 0, "no answer");
        var at = Dns.HeaderSize;
        if (message[5] == 1)
        {
            Assert.True(DnsRecord.SkipName(message, ref at, pointers: false));
            at += 4;
        }

        var text = new StringBuilder().Append(message[3] & 15);
        var count = message[7] + message[9] + message[11];
        for (var i = 0; i < count; i++)
        {
            Assert.True(DnsRecord.TryRead(message, ref at, out var record));
            var data = message.AsSpan(record.DataAt, record.DataLength);
            text.Append(record.Type switch
            {
                Dns.A => $" A {new System.Net.IPAddress(data)}",
                Dns.AAAA => $" AAAA {new System.Net.IPAddress(data)}",
                Dns.PTR => $" PTR {Text(data)}",
                Dns.OPT => record.Ttl >> 24 == 0 ? " OPT" : $" OPT {record.Ttl >> 24}",
                _ => $" {record.Type}",
            });
        }

        Assert.Equal(message.Length, at);
        return text.Append((message[2] & 2) != 0 ? " TC" : "").ToString();
    }

    public static byte[] Words(params ushort[] words) => [.. words.SelectMany(w => (byte[])[(byte)(w >> 8), (byte)w])];

    private static string Text(ReadOnlySpan<byte> wire)
    {
        var labels = new List<string>();
        for (var at = 0; wire[at] != 0; at += wire[at] + 1)
        {
            labels.Add(Encoding.Latin1.GetString(wire.Slice(at + 1, wire[at])));
        }

        return string.Join('.', labels);
    }
}
