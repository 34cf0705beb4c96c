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
    private readonly UInt128 _base, _first, _last, _origin;
    private readonly HashSet<UInt128> _far = [];
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

        _origin = _first - (_first % 64);
        Claim(Gateway);
    }

    /// <summary>All addresses of the network.</summary>
    public IPNetwork Subnet { get; }

    /// <summary>The network's own address; always in use.</summary>
    public IPAddress Gateway { get; }

    /// <summary>
    /// How many addresses from the range's start are given away, a bit each: two million, a quarter of a megabyte at most. Others, which
    /// only a user's choice reaches, are remembered one by one.
    /// </summary>
    private static UInt128 Window => 1 << 21;

    /// <summary>Takes the lowest free address.</summary>
    /// <exception cref="NetworkException">Exhausted.</exception>
    public IPAddress Allocate()
    {
        lock (_gate)
        {
            var end = UInt128.Min(_last, _origin + Window - 1);
            for (var word = _firstWordWithRoom; _origin + ((UInt128)word * 64) <= end; word++)
            {
                var free = word < _used.Length ? ~_used[word] : ulong.MaxValue;
                free &= word == 0 ? ulong.MaxValue << (int)(_first - _origin) : ulong.MaxValue;
                var offset = _origin + ((UInt128)word * 64) + (UInt128)BitOperations.TrailingZeroCount(free);
                if (free != 0 && offset <= end)
                {
                    _firstWordWithRoom = word;
                    Mark(offset);
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
        if (reserved)
        {
            throw new NetworkException(NetworkErrorKind.InvalidParameter, $"address {address} of subnet '{Subnet}' cannot be assigned");
        }

        lock (_gate)
        {
            if (IsMarked(offset))
            {
                throw new NetworkException(NetworkErrorKind.Conflict, "Address already in use");
            }

            Mark(offset);
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
            if (!InWindow(offset))
            {
                _far.Remove(offset);
            }
            else if (IsMarked(offset))
            {
                var (word, bit) = Place(offset);
                _used[word] &= ~bit;
                _firstWordWithRoom = Math.Min(_firstWordWithRoom, word);
            }
        }
    }

    private bool InWindow(UInt128 offset) => offset >= _origin && offset - _origin < Window;

    private (int Word, ulong Bit) Place(UInt128 offset) => ((int)((offset - _origin) / 64), 1ul << (int)(offset % 64));

    private bool IsMarked(UInt128 offset)
    {
        if (!InWindow(offset))
        {
            return _far.Contains(offset);
        }

        var (word, bit) = Place(offset);
        return word < _used.Length && (_used[word] & bit) != 0;
    }

    private void Mark(UInt128 offset)
    {
        if (!InWindow(offset))
        {
            _far.Add(offset);
            return;
        }

        var (word, bit) = Place(offset);
        if (word >= _used.Length)
        {
            Array.Resize(ref _used, Math.Max(_used.Length * 2, word + 1));
        }

        _used[word] |= bit;
    }
}
