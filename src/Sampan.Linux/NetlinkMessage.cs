using System.Net;
using System.Runtime.InteropServices;
using System.Text;

namespace Sampan.Linux;

/// <summary>
/// A netlink message under construction: header, family header, then attributes (netlink(7)). Integers are in the host's byte order
/// as the protocol wants; everything is padded to four bytes.
/// </summary>
public sealed class NetlinkRequest
{
    internal const int HeaderLength = 16;
    private byte[] _buffer = new byte[256];
    private int _length = HeaderLength;

    /// <param name="call">The message's name for errors, e.g. <c>RTM_NEWADDR</c>.</param>
    /// <param name="subject">What it is about, for errors.</param>
    /// <param name="type">nlmsg_type.</param>
    /// <param name="flags">nlmsg_flags besides NLM_F_REQUEST and NLM_F_ACK.</param>
    public NetlinkRequest(string call, string subject, ushort type, ushort flags)
    {
        Call = call;
        Subject = subject;
        Set(4, type);
        Set(6, (ushort)(flags | NetlinkSocket.NLM_F_REQUEST));
    }

    /// <summary>The message's name.</summary>
    public string Call { get; }

    /// <summary>What the message is about.</summary>
    public string Subject { get; }

    /// <summary>Appends a fixed header or payload.</summary>
    public NetlinkRequest Append<T>(in T value) where T : unmanaged
    {
        var size = Marshal.SizeOf<T>();
        MemoryMarshal.Write(Reserve(size), in value);
        return this;
    }

    /// <summary>Appends an attribute with raw bytes.</summary>
    public NetlinkRequest Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        var span = Reserve(4 + value.Length);
        MemoryMarshal.Write(span, (ushort)(4 + value.Length));
        MemoryMarshal.Write(span[2..], type);
        value.CopyTo(span[4..]);
        return this;
    }

    /// <summary>Appends an attribute that is a 32 bit number.</summary>
    public NetlinkRequest Attribute(ushort type, uint value) => Attribute(type, MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in value)));

    /// <summary>Adds a 16-bit attribute.</summary>
    public NetlinkRequest Attribute(ushort type, ushort value) => Attribute(type, MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in value)));

    /// <summary>Appends an attribute that is one byte.</summary>
    public NetlinkRequest Attribute(ushort type, byte value) => Attribute(type, new ReadOnlySpan<byte>(in value));

    /// <summary>Appends an attribute that is a text ended by NUL.</summary>
    public NetlinkRequest Attribute(ushort type, string value) => Attribute(type, Encoding.UTF8.GetBytes(value + "\0"));

    /// <summary>Appends an attribute that is an address.</summary>
    public NetlinkRequest Attribute(ushort type, IPAddress value) => Attribute(type, value.GetAddressBytes());

    /// <summary>Appends an attribute whose value is what <paramref name="content"/> appends.</summary>
    public NetlinkRequest Nest(ushort type, Action<NetlinkRequest> content)
    {
        var start = _length;
        Reserve(4);
        content(this);
        Set(start, (ushort)(_length - start));
        Set(start + 2, type);
        return this;
    }

    /// <summary>Finishes the header and returns the message's bytes; may be called again.</summary>
    internal ReadOnlySpan<byte> Seal(uint sequence, ushort extraFlags)
    {
        Set(0, (uint)_length);
        Set(6, (ushort)(MemoryMarshal.Read<ushort>(_buffer.AsSpan(6)) | extraFlags));
        Set(8, sequence);
        return _buffer.AsSpan(0, _length);
    }

    private void Set<T>(int offset, T value) where T : unmanaged => MemoryMarshal.Write(_buffer.AsSpan(offset), in value);

    private Span<byte> Reserve(int size)
    {
        var padded = (size + 3) & ~3;
        if (_length + padded > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + padded));
        }

        var span = _buffer.AsSpan(_length, size);
        _length += padded;
        return span;
    }
}

/// <summary>
/// Walks the attributes of a received message. A length that does not fit ends the walk: the kernel is trusted, a cut buffer is not.
/// </summary>
/// <param name="rest">The bytes of the attributes.</param>
public ref struct NetlinkAttributes(ReadOnlySpan<byte> rest)
{
    private ReadOnlySpan<byte> _rest = rest;

    /// <summary>The current attribute's type without its flag bits.</summary>
    public ushort Type { get; private set; }

    /// <summary>The current attribute's value.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>The value as a 32 bit number.</summary>
    public readonly uint UInt32 => MemoryMarshal.Read<uint>(Value);

    /// <summary>The value as a text, without its NUL.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Value.TrimEnd((byte)0));

    /// <summary>Moves to the next attribute.</summary>
    public bool Next()
    {
        if (_rest.Length < 4)
        {
            return false;
        }

        var length = MemoryMarshal.Read<ushort>(_rest);
        if (length < 4 || length > _rest.Length)
        {
            return false;
        }

        Type = (ushort)(MemoryMarshal.Read<ushort>(_rest[2..]) & 0x3fff);
        Value = _rest[4..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }
}
