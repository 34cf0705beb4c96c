using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>Device rules that no container can do without.</summary>
public static class DeviceRules
{
    /// <summary>
    /// Making nodes (which gives no access yet), and the nodes that the runtime itself puts into /dev: null, zero, full, random, urandom,
    /// tty, console, ptmx and the terminals.
    /// </summary>
    private static readonly DeviceRule[] Essential =
    [
        new(true, "c", null, null, "m"), new(true, "b", null, null, "m"), new(true, "c", 1, 3, "rwm"), new(true, "c", 1, 5, "rwm"),
        new(true, "c", 1, 7, "rwm"), new(true, "c", 1, 8, "rwm"), new(true, "c", 1, 9, "rwm"), new(true, "c", 5, 0, "rwm"),
        new(true, "c", 5, 1, "rwm"), new(true, "c", 5, 2, "rwm"), new(true, "c", 136, null, "rwm"),
    ];

    /// <summary>Adds the essential rules behind a spec's own; resources without device rules stay without.</summary>
    public static Resources? WithEssentials(Resources? resources) =>
        resources?.Devices is { Count: > 0 } devices && !AllowsAll(devices[^1]) ? resources with { Devices = [.. devices, .. Essential] } : resources;

    private static bool AllowsAll(DeviceRule rule) =>
        rule is { Allow: true, Type: null or "" or "a", Major: null or < 0, Minor: null or < 0 } && rule.Access is null or "" or "rwm";
}
