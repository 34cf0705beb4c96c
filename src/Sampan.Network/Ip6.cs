using Sampan.Linux;

namespace Sampan.Network;

/// <summary>IPv6 settings of the calling thread's network namespace (Linux's Documentation/networking/ip-sysctl).</summary>
internal static class Ip6
{
    private const string Interfaces = "/proc/sys/net/ipv6/conf";

    /// <summary>
    /// Lets an interface have IPv6 addresses or not. With them it takes no address, route or gateway from what its neighbours say, and
    /// its own are good at once. False when the kernel has no IPv6.
    /// </summary>
    public static bool Switch(string interfaceName, bool on)
    {
        var settings = $"net/ipv6/conf/{interfaceName}";
        if (on)
        {
            Sysctl.Write($"{settings}/accept_ra", "0");
            Sysctl.Write($"{settings}/accept_redirects", "0");
            Sysctl.Write($"{settings}/accept_dad", "0");
        }

        return Sysctl.Write($"{settings}/disable_ipv6", on ? "0" : "1");
    }

    /// <summary>
    /// Makes the host forward IPv6. A host that forwards no longer listens to its routers; one that had its address or way out from them
    /// is told to do so still (accept_ra 2).
    /// </summary>
    public static void Forward()
    {
        if (Sysctl.Read("net/ipv6/conf/all/forwarding") == "1")
        {
            return;
        }

        foreach (var name in Directory.GetDirectories(Interfaces).Select(Path.GetFileName))
        {
            if (Sysctl.Read($"net/ipv6/conf/{name}/accept_ra") == "1")
            {
                Sysctl.Write($"net/ipv6/conf/{name}/accept_ra", "2");
            }
        }

        Sysctl.Write("net/ipv6/conf/all/forwarding", "1");
    }
}
