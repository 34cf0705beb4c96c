using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>What a spec may ask for and this runtime does not do: said, not passed over, for each is a promise about the container.</summary>
internal static class UnsupportedSettings
{
    /// <exception cref="ArgumentException">The spec asks for one of them.</exception>
    public static void Refuse(Spec spec)
    {
        Refuse(spec.Process);
        Refuse(spec.Hooks, "hooks");
        var linux = spec.Linux;
        Refuse(linux?.UidMappings is { Count: > 0 } || linux?.GidMappings is { Count: > 0 }, "linux.uidMappings and gidMappings");
        Refuse(linux?.NetDevices is { Count: > 0 }, "linux.netDevices");
        Refuse(linux?.TimeOffsets is { Count: > 0 }, "linux.timeOffsets");
        Refuse(linux?.MountLabel is { Length: > 0 }, "linux.mountLabel");
        Refuse(linux?.IntelRdt, "linux.intelRdt");
        Refuse(linux?.MemoryPolicy, "linux.memoryPolicy");
        Refuse(linux?.Personality, "linux.personality");
        Refuse(linux?.Resources?.Network, "linux.resources.network");
        Refuse(linux?.Resources?.Rdma is { Count: > 0 }, "linux.resources.rdma");
        Refuse(spec.Mounts?.Any(m => m.UidMappings is { Count: > 0 } || m.GidMappings is { Count: > 0 }) == true, "mounts with uidMappings and gidMappings");
    }

    /// <exception cref="ArgumentException">The process asks for one of them.</exception>
    public static void Refuse(Process? process)
    {
        Refuse(process?.ApparmorProfile is not (null or "" or "unconfined"), "process.apparmorProfile");
        Refuse(process?.SelinuxLabel is { Length: > 0 }, "process.selinuxLabel");
        Refuse(process?.IoPriority, "process.ioPriority");
        Refuse(process?.Scheduler, "process.scheduler");
        Refuse(process?.ExecCpuAffinity, "process.execCPUAffinity");
    }

    private static void Refuse(object? setting, string name) => Refuse(setting is not null, name);

    private static void Refuse(bool asked, string name)
    {
        if (asked)
        {
            throw new ArgumentException($"{name} in the spec: not supported");
        }
    }
}
