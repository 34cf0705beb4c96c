using System.Net;
using System.Net.Sockets;
using System.Text;
using Sampan.Api;
using Sampan.Linux;
using Sampan.Network;

namespace Sampan.Engine.Networks;

/// <summary>
/// What may be said of a container's interface beyond its addresses: its name, its kernel parameters, further addresses of the link's own
/// (<c>--network name=…,driver-opt=…,link-local-ip=…</c>).
/// </summary>
internal static class EndpointOptions
{
    private const string NameOption = "com.docker.network.endpoint.ifname", SysctlOption = "com.docker.network.endpoint.sysctls", Placeholder = "IFNAME";
    private const int NameBytes = 15, LinkLocalBits4 = 16, LinkLocalBits6 = 64;

    /// <summary>What is wrong with them, a line each.</summary>
    public static IEnumerable<string> Problems(EndpointSettings settings)
    {
        if (Option(settings, NameOption) is { Length: > 0 } name && !IsInterfaceName(name))
        {
            yield return $"invalid interface name: \"{name}\": 1 to {NameBytes} bytes without spaces, '/' and ':'";
        }

        foreach (var (text, path, _) in Sysctls(settings))
        {
            if (path is null)
            {
                yield return $"invalid sysctl: \"{text}\": want net.X.Y.{Placeholder}.Z=VALUE";
            }
        }

        foreach (var text in settings.IPAMConfig?.LinkLocalIPs ?? [])
        {
            if (!IPAddress.TryParse(text, out _))
            {
                yield return $"invalid link-local IP address: {text}";
            }
        }
    }

    /// <summary>True for what the kernel takes as the name of an interface.</summary>
    public static bool IsInterfaceName(string name) => Encoding.UTF8.GetByteCount(name) is > 0 and <= NameBytes && name is not ("." or "..")
        && !name.Any(c => c is '/' or ':' || char.IsWhiteSpace(c) || char.IsControl(c));

    /// <summary>The name of a new interface: the one asked for, or the network's prefix with the lowest free number.</summary>
    /// <param name="settings">What was asked.</param>
    /// <param name="network">The network.</param>
    /// <param name="taken">The names that the container's interfaces have.</param>
    /// <exception cref="EngineException">Another has the name (InvalidParameter).</exception>
    public static string InterfaceName(EndpointSettings settings, NetworkRecord network, IReadOnlyCollection<string> taken)
    {
        if (Option(settings, NameOption) is { Length: > 0 } name)
        {
            return name != "lo" && !taken.Contains(name) ? name : throw EngineException.Invalid($"interface name \"{name}\" is in use in the container already");
        }

        var prefix = network.Options.GetValueOrDefault(NetworkRequest.InterfacePrefixOption) is { Length: > 0 } own ? own : "eth";
        var number = 0;
        while (taken.Contains($"{prefix}{number}"))
        {
            number++;
        }

        return $"{prefix}{number}";
    }

    /// <summary>Gives an interface that is there its further addresses and its parameters.</summary>
    /// <exception cref="EngineException">The kernel has no such parameter or refuses the value (InvalidParameter).</exception>
    public static void Apply(EndpointSettings settings, Sandbox sandbox, string interfaceName)
    {
        foreach (var address in (settings.IPAMConfig?.LinkLocalIPs ?? []).Select(IPAddress.Parse))
        {
            var link = sandbox.Routes.FindLink(interfaceName) ?? throw new NetlinkException("RTM_GETLINK", $"'{interfaceName}'", Errno.ENODEV, null);
            sandbox.Routes.Execute(RouteSocket.AddAddress(link.Index, address, address.AddressFamily == AddressFamily.InterNetwork ? LinkLocalBits4 : LinkLocalBits6));
        }

        List<(string Text, string? Path, string Value)> sysctls = [.. Sysctls(settings)];
        if (sysctls.Count > 0)
        {
            sandbox.Run(() =>
            {
                sysctls.ForEach(s => Set(s.Text, s.Path!.Replace(Placeholder, interfaceName, StringComparison.Ordinal), s.Value));
                return true;
            });
        }
    }

    private static void Set(string text, string path, string value)
    {
        try
        {
            if (!Sysctl.Write(path, value))
            {
                throw EngineException.Invalid($"failed to set sysctl {text}: the kernel has no such parameter");
            }
        }
        catch (IOException e)
        {
            throw EngineException.Invalid($"failed to set sysctl {text}: {e.Message}");
        }
    }

    /// <summary>The parameters by path below /proc/sys, without one where the text is none of an interface.</summary>
    private static IEnumerable<(string Text, string? Path, string Value)> Sysctls(EndpointSettings settings)
    {
        foreach (var text in (Option(settings, SysctlOption) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = text.IndexOf('=');
            var parts = (equals < 0 ? "" : text[..equals]).Split('.');
            // Docker's command line makes small letters of everything in --network.
            var isInterface = parts is ["net", _, _, _, _, ..] && parts[3].Equals(Placeholder, StringComparison.OrdinalIgnoreCase) && !parts.Any(p => p.Length == 0 || p.Contains('/'));
            yield return (text, isInterface ? string.Join('/', [.. parts[..3], Placeholder, .. parts[4..]]) : null, text[(equals + 1)..]);
        }
    }

    private static string? Option(EndpointSettings settings, string name) => settings.DriverOpts?.GetValueOrDefault(name);
}
