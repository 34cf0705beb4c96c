using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>Resource limits of a process (getrlimit(2)).</summary>
internal sealed class RlimitPlan
{
    private static readonly string[] Names =
    [
        "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
    ];

    private readonly (int Resource, ulong Soft, ulong Hard)[] _limits;

    /// <exception cref="ArgumentException">A name is not known, or a soft limit is above its hard one.</exception>
    public RlimitPlan(IReadOnlyList<Rlimit> limits)
    {
        foreach (var limit in limits)
        {
            if (limit.Soft > limit.Hard)
            {
                throw new ArgumentException($"{limit.Type}: the soft limit {limit.Soft} is above the hard limit {limit.Hard}");
            }
        }

        _limits = [.. limits.Select(l => (NumberOf(l.Type), l.Soft, l.Hard))];
    }

    /// <summary>In the child: 0, or a negated errno and the index of the limit.</summary>
    public int Apply(out int index)
    {
        for (index = 0; index < _limits.Length; index++)
        {
            var result = Raw.Setrlimit(_limits[index].Resource, _limits[index].Soft, _limits[index].Hard);
            if (result < 0)
            {
                return result;
            }
        }

        return 0;
    }

    /// <summary>A limit for people; with the reason when it is above what this machine lets the engine give.</summary>
    public string Describe(int index)
    {
        var (resource, soft, hard) = _limits[index];
        Raw.Getrlimit(resource, out _, out var own);
        var reason = hard > own ? $" (the engine's own hard limit is {own}, and without CAP_SYS_RESOURCE it cannot be raised)" : "";
        return $"{Names[resource]}={soft}:{hard}{reason}";
    }

    private static int NumberOf(string name)
    {
        var number = Array.IndexOf(Names, name);
        return number >= 0 ? number : throw new ArgumentException($"unknown resource limit \"{name}\"");
    }
}
