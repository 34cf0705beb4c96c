using System.Net;
using System.Net.Sockets;
using System.Numerics;

namespace Sampan.Network;

/// <summary>
/// The addresses of one subnet of one network. Gives the lowest free one, so that the same story has the same addresses each time.
/// Thread-safe. Costs an eighth of a byte per address up to the highest in use.
/// </summary>
public sealed class AddressPool
{
    private readonly Lock _gate = new();
    private readonly string _label;
    private readonly int _bits;
    private readonly UInt128 _base, _first, _last;
    private ulong[] _used = new ulong[4];
    private int _firstWordWithRoom;

    /// <param name="subnet">All addresses. The first and, for IPv4, the last are not given away.</param>
    /// <param name="gateway">The network's own address; the lowest usable when null.</param>
    /// <param name="range">Where to choose from; the whole subnet when null. Addresses outside of it can still be claimed.</param>
    /// <param name="label">Name and id of the network for errors, as in <c>bridge (8f2a…)</c>.</param>
    public AddressPool(IPNetwork subnet, IPAddress? gateway, IPNetwork? range, string label)
    {
        Subnet = subnet;
        _label = label;
        _bits = AddressMath.Bits(subnet.BaseAddress);
        _base = AddressMath.ToNumber(subnet.BaseAddress);
        var size = AddressMath.Size(subnet.PrefixLength, _bits);
        var ends = _bits == 32 && subnet.PrefixLength < 31;
        var low = ends || _bits == 128 && size > 2 ? UInt128.One : UInt128.Zero;
        var high = ends ? size - 2 : size - 1;
        Gateway = gateway ?? AddressMath.ToAddress(_base + low, _bits);
        (_first, _last) = (low, high);
        if (range is { } part)
        {
            if (!subnet.Contains(part.BaseAddress) || part.PrefixLength < subnet.PrefixLength)
            {
                throw new NetworkException(
                    NetworkErrorKind.InvalidParameter, $"invalid range '{part}': it is not within subnet '{subnet}'");
            }

            var start = AddressMath.ToNumber(part.BaseAddress) - _base;
            _first = UInt128.Max(low, start);
            _last = UInt128.Min(high, start + AddressMath.Size(part.PrefixLength, _bits) - 1);
        }

        _firstWordWithRoom = (int)UInt128.Min(_first / 64, MaxOffset / 64);
        Claim(Gateway);
    }

    /// <summary>All addresses of the network.</summary>
    public IPNetwork Subnet { get; }

    /// <summary>The network's own address; always in use.</summary>
    public IPAddress Gateway { get; }

    /// <summary>Where the bookkeeping ends: two million addresses past the subnet's start, a quarter of a megabyte at most.</summary>
    private static UInt128 MaxOffset => (1 << 21) - 1;

    /// <summary>Takes the lowest free address.</summary>
    /// <exception cref="NetworkException">Exhausted.</exception>
    public IPAddress Allocate()
    {
        lock (_gate)
        {
            var end = UInt128.Min(_last, MaxOffset);
            for (var word = _firstWordWithRoom; (UInt128)word * 64 <= end; word++)
            {
                var free = word < _used.Length ? ~_used[word] : ulong.MaxValue;
                if ((UInt128)word * 64 < _first)
                {
                    // A word that lies before the range as a whole is looked at too, once an address outside of it was given back.
                    var before = _first - ((UInt128)word * 64);
                    free = before < 64 ? free & ulong.MaxValue << (int)before : 0;
                }

                var offset = ((UInt128)word * 64) + (UInt128)BitOperations.TrailingZeroCount(free);
                if (free != 0 && offset <= end)
                {
                    _firstWordWithRoom = word;
                    Mark((int)offset);
                    return AddressMath.ToAddress(_base + offset, _bits);
                }
            }

            var family = _bits == 32 ? "IPv4" : "IPv6";
            throw new NetworkException(
                NetworkErrorKind.Exhausted, $"no available {family} addresses on this network's address pools: {_label}");
        }
    }

    /// <summary>Takes a certain address: one the user chose, or one that a container had before the daemon started.</summary>
    /// <exception cref="NetworkException">In use already (Conflict), or not of this subnet (InvalidParameter).</exception>
    public void Claim(IPAddress address)
    {
        if (address.AddressFamily != Subnet.BaseAddress.AddressFamily || !Subnet.Contains(address))
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter, $"no configured subnet contains IP address {address}");
        }

        var offset = AddressMath.ToNumber(address) - _base;
        var reserved = address.AddressFamily == AddressFamily.InterNetwork && Subnet.PrefixLength < 31
            && (offset == 0 || offset == AddressMath.Size(Subnet.PrefixLength, _bits) - 1);
        if (reserved || offset > MaxOffset)
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter, $"address {address} of subnet '{Subnet}' cannot be assigned");
        }

        lock (_gate)
        {
            if (IsMarked((int)offset))
            {
                throw new NetworkException(NetworkErrorKind.Conflict, "Address already in use");
            }

            Mark((int)offset);
        }
    }

    /// <summary>Gives an address back. One that is free already, or the gateway, is left as it is.</summary>
    public void Release(IPAddress address)
    {
        if (address.AddressFamily != Subnet.BaseAddress.AddressFamily || !Subnet.Contains(address) || address.Equals(Gateway))
        {
            return;
        }

        var offset = AddressMath.ToNumber(address) - _base;
        lock (_gate)
        {
            if (offset <= MaxOffset && IsMarked((int)offset))
            {
                _used[(int)offset / 64] &= ~(1ul << ((int)offset % 64));
                _firstWordWithRoom = Math.Min(_firstWordWithRoom, (int)offset / 64);
            }
        }
    }

    private bool IsMarked(int offset) => offset / 64 < _used.Length && (_used[offset / 64] & (1ul << (offset % 64))) != 0;

    private void Mark(int offset)
    {
        if (offset / 64 >= _used.Length)
        {
            Array.Resize(ref _used, Math.Max(_used.Length * 2, (offset / 64) + 1));
        }

        _used[offset / 64] |= 1ul << (offset % 64);
    }
}
