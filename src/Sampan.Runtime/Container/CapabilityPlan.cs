using System.Globalization;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>The five capability sets of a process as masks (capabilities(7)), and how a child takes them.</summary>
internal sealed class CapabilityPlan
{
    private const int PR_CAP_AMBIENT_RAISE = 2;

    private readonly ulong _bounding, _effective, _permitted, _inheritable, _ambient;
    private readonly int _last;

    /// <exception cref="ArgumentException">A name is not known.</exception>
    public CapabilityPlan(Capabilities? sets)
    {
        var all = sets ?? new Capabilities();
        _last = int.Parse(File.ReadAllText("/proc/sys/kernel/cap_last_cap"), CultureInfo.InvariantCulture);

        // What this kernel does not have yet cannot be given; it was not asked for by number.
        var known = _last >= 63 ? ulong.MaxValue : (1UL << (_last + 1)) - 1;
        (_bounding, _effective, _permitted) = (Mask(all.Bounding), Mask(all.Effective), Mask(all.Permitted));
        (_inheritable, _ambient) = (Mask(all.Inheritable), Mask(all.Ambient));

        ulong Mask(List<string>? names) => CapabilityNames.Mask(names ?? []) & known;
    }

    /// <summary>In the child, while it has CAP_SETPCAP.</summary>
    public int DropBounding()
    {
        var result = 0;
        for (var capability = 0; capability <= _last && result >= 0; capability++)
        {
            if ((_bounding >> capability & 1) == 0)
            {
                result = Raw.Prctl(Raw.PR_CAPBSET_DROP, capability);
            }
        }

        return result;
    }

    /// <summary>In the child, as its user: PR_SET_KEEPCAPS must have carried the rights over the change of user.</summary>
    public int Apply()
    {
        var result = Raw.Capset(_effective, _permitted, _inheritable);
        for (var capability = 0; capability <= _last && result >= 0; capability++)
        {
            if ((_ambient >> capability & 1) != 0)
            {
                result = Raw.Prctl(Raw.PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
            }
        }

        return result;
    }
}
