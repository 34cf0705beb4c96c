using Sampan.Api;

namespace Sampan.Daemon.Shapes;

/// <summary>Requests of old clients, made to mean today what they meant then.</summary>
internal static class RequestShapes
{
    /// <exception cref="ApiException">400: something this version of the API has not.</exception>
    public static void Create(CreateContainerRequest request, int version)
    {
        var host = request.HostConfig ??= new HostConfig();
        if (host.PidsLimit <= 0)
        {
            host.PidsLimit = null; // 0 and -1 both say "no limit"
        }

        if (version < 40)
        {
            host.IpcMode = host.IpcMode.Length == 0 ? "shareable" : host.IpcMode;
        }

        if (version < 41)
        {
            host.CgroupnsMode = host.CgroupnsMode.Length == 0 ? "host" : host.CgroupnsMode;
        }

        if (version < 42)
        {
            host.ConsoleSize = [0, 0];
        }

        if (version < 43)
        {
            host.Annotations = null;
        }

        if (version < 44)
        {
            Before44(request, host);
        }

        foreach (var mount in host.Mounts ?? [])
        {
            Mount(mount, version);
        }

        MacAddress(request, version);
    }

    private static void Before44(CreateContainerRequest request, HostConfig host)
    {
        if (request.Healthcheck is { } check)
        {
            check.StartInterval = 0;
        }

        if (request.NetworkingConfig?.EndpointsConfig is { Count: > 1 } endpoints)
        {
            throw new ApiException(400, $"container cannot be created with multiple network endpoints: {string.Join(", ", endpoints.Keys)}");
        }

        foreach (var mount in host.Mounts ?? [])
        {
            // Read-only mounts became recursively read-only with 1.44.
            if (mount is { Type: "bind", ReadOnly: true })
            {
                (mount.BindOptions ??= new BindOptions()).ReadOnlyNonRecursive = true;
            }
        }
    }

    private static void Mount(Mount mount, int version)
    {
        if (version < 40 && mount.BindOptions is { } bind)
        {
            bind.NonRecursive = false;
        }

        if (version < 45 && mount.VolumeOptions is { } volume)
        {
            volume.Subpath = null;
        }

        if (version < 48 && mount.Type == "image")
        {
            throw new ApiException(400, "mount type \"image\" needs API version 1.48 or newer");
        }
    }

    /// <summary>Until 1.43 the MAC address was the container's; since then it is an endpoint's.</summary>
    private static void MacAddress(CreateContainerRequest request, int version)
    {
        if (request.MacAddress is not { Length: > 0 } mac || version >= 52)
        {
            request.MacAddress = null;
            return;
        }

        var mode = request.HostConfig!.NetworkMode;
        if (mode is "host" or "none" || mode.StartsWith("container:", StringComparison.Ordinal))
        {
            throw new ApiException(400, "conflicting options: mac-address and the network mode");
        }

        var network = mode is "" or "default" ? "bridge" : mode;
        var endpoints = (request.NetworkingConfig ??= new NetworkingConfig()).EndpointsConfig ??= [];
        var key = endpoints.ContainsKey(mode) ? mode : network;
        var endpoint = endpoints.GetValueOrDefault(key) ?? new EndpointSettings();
        endpoints[key] = endpoint;
        if (endpoint.MacAddress.Length > 0 && endpoint.MacAddress != mac)
        {
            throw new ApiException(
                400, "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty");
        }

        endpoint.MacAddress = mac;
    }
}
