using System.Text;

namespace Sampan.Daemon.Buildkit.Wire;

/// <summary>How a field's value is written (protobuf's wire types; groups have been given up).</summary>
internal enum WireType
{
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// <summary>Walks over the fields of a protobuf message: <see cref="Next"/>, then one of the readers; a field that nobody reads is skipped.</summary>
/// <remarks>Messages come from clients: every length is checked against what is there.</remarks>
internal ref struct ProtoReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;
    private bool _isPending;

    /// <summary>The current field's number.</summary>
    public int Field { get; private set; }

    public WireType Type { get; private set; }

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="FormatException">The message is malformed.</exception>
    public bool Next()
    {
        if (_isPending)
        {
            Skip();
        }

        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        (Field, Type) = ((int)(tag >> 3), (WireType)(tag & 7));
        _isPending = tag >> 3 is > 0 and <= 0x1FFFFFFF && Enum.IsDefined(Type) ? true : throw new FormatException("malformed protobuf message: invalid tag");
        return true;
    }

    public ulong UInt64() => Take(WireType.Varint) ? Varint() : 0;

    public long Int64() => (long)UInt64();

    public uint UInt32() => (uint)UInt64();

    public bool Bool() => UInt64() != 0;

    public ReadOnlySpan<byte> Bytes()
    {
        Take(WireType.Bytes);
        return Length();
    }

    public string String() => Encoding.UTF8.GetString(Bytes());

    /// <summary>A string whose bytes need not be UTF-8 (paths): each byte is a letter.</summary>
    public string ByteString() => Encoding.Latin1.GetString(Bytes());

    /// <summary>An entry of a map of strings; the later of two with one key holds.</summary>
    public void Entry(IDictionary<string, string> map)
    {
        var entry = new ProtoReader(Bytes());
        var (key, value) = ("", "");
        while (entry.Next())
        {
            (key, value) = entry.Field switch
            {
                1 => (entry.String(), value),
                2 => (key, entry.String()),
                _ => (key, value),
            };
        }

        map[key] = value;
    }

    private bool Take(WireType type)
    {
        _isPending = false;
        return Type == type ? true : throw new FormatException($"malformed protobuf message: field {Field} has the wrong type");
    }

    private void Skip()
    {
        _isPending = false;
        switch (Type)
        {
            case WireType.Varint:
                Varint();
                break;
            case WireType.Bytes:
                Length();
                break;
            default:
                Advance(Type == WireType.Fixed64 ? 8 : 4);
                break;
        }
    }

    private ReadOnlySpan<byte> Length()
    {
        var length = Varint();
        return length <= (ulong)_rest.Length ? Advance((int)length) : throw new FormatException($"malformed protobuf message: field {Field} ends too early");
    }

    private ReadOnlySpan<byte> Advance(int count)
    {
        if (count > _rest.Length)
        {
            throw new FormatException($"malformed protobuf message: field {Field} ends too early");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private ulong Varint()
    {
        const int MaxBytes = 10;
        var value = 0UL;
        for (var i = 0; i < MaxBytes; i++)
        {
            var next = i < _rest.Length ? _rest[i] : throw new FormatException("malformed protobuf message: a number ends too early");
            value |= (ulong)(next & 0x7F) << (7 * i);
            if (next < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        throw new FormatException("malformed protobuf message: a number has more than 10 bytes");
    }
}
