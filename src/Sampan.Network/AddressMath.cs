using System.Buffers.Binary;
using System.Net;

namespace Sampan.Network;

/// <summary>Addresses of both families as numbers.</summary>
internal static class AddressMath
{
    public static int Bits(IPAddress address) => address.GetAddressBytes().Length * 8;

    public static UInt128 ToNumber(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        return bytes.Length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <param name="bits">32 or 128.</param>
    public static IPAddress ToAddress(UInt128 number, int bits)
    {
        Span<byte> bytes = stackalloc byte[bits / 8];
        if (bits == 32)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)number);
        }
        else
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        }

        return new IPAddress(bytes);
    }

    /// <summary>How many addresses a prefix spans; the whole of IPv6 counts as one less than it has.</summary>
    public static UInt128 Size(int prefixLength, int bits) =>
        prefixLength == 0 && bits == 128 ? UInt128.MaxValue : UInt128.One << (bits - prefixLength);

    public static IPNetwork NetworkOf(IPAddress address, int prefixLength)
    {
        var bits = Bits(address);
        var number = ToNumber(address);
        return new IPNetwork(ToAddress(number - (number % Size(prefixLength, bits)), bits), prefixLength);
    }

    public static bool Overlap(IPNetwork a, IPNetwork b) =>
        a.BaseAddress.AddressFamily == b.BaseAddress.AddressFamily && (a.Contains(b.BaseAddress) || b.Contains(a.BaseAddress));
}
