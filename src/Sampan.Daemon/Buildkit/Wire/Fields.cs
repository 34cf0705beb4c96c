using System.Text;

namespace Sampan.Daemon.Buildkit.Wire;

/// <summary>A small message of which only a few fields are of interest.</summary>
internal sealed class Fields(byte[] message)
{
    /// <summary>A string or bytes as text; empty when it is absent.</summary>
    /// <exception cref="FormatException">The message is malformed.</exception>
    public string Text(int field) => All(field) is [.., var last] ? last : "";

    /// <summary>All values of a repeated string.</summary>
    public IReadOnlyList<string> All(int field)
    {
        var reader = new ProtoReader(message);
        var values = new List<string>();
        while (reader.Next())
        {
            if (reader.Field == field)
            {
                values.Add(Encoding.UTF8.GetString(reader.Bytes()));
            }
        }

        return values;
    }

    public long Number(int field)
    {
        var reader = new ProtoReader(message);
        var value = 0L;
        while (reader.Next())
        {
            value = reader.Field == field ? reader.Int64() : value;
        }

        return value;
    }
}
