using System.Text.Json;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Linux;

namespace Sampan.Cli.Options;

/// <summary>The HostConfig part of a request to create a container.</summary>
internal static class HostConfigRequest
{
    public static JsonObject Build(ContainerFlags flags, JsonArray binds, List<PublishedPort> ports)
    {
        var host = new JsonObject { ["NetworkMode"] = NetworkMode(flags.Network) };
        if (binds.Count > 0) host["Binds"] = binds;
        if (ports.Count > 0) host["PortBindings"] = PortSpec.Bindings(ports);
        Confinement(host, flags.Limits);
        Namespaces(host, flags.Limits);
        Files(host, flags.Limits);
        Names(host, flags.Network);
        Resources(host, flags.Resources);
        ContainerRequest.Text(host, "ContainerIDFile", flags.CidFile.Value);
        if (flags.Process.Annotations.Values.Count > 0) host["Annotations"] = ContainerRequest.Map(flags.Process.Annotations.Values);
        if (flags.Process.Tty)
        {
            var (height, width) = Terminal.Size(1);
            host["ConsoleSize"] = new JsonArray(height, width);
        }

        return host;
    }

    /// <summary>Limits that update can change too.</summary>
    public static void Limits(JsonObject host, ResourceFlags r)
    {
        Number(host, "BlkioWeight", r.BlkioWeight.Value);
        Number(host, "CpuPeriod", r.CpuPeriod.Value);
        Number(host, "CpuQuota", r.CpuQuota.Value);
        Number(host, "CpuRealtimePeriod", r.CpuRtPeriod.Value);
        Number(host, "CpuRealtimeRuntime", r.CpuRtRuntime.Value);
        Number(host, "CpuShares", r.CpuShares.Value);
        Number(host, "NanoCpus", r.Cpus.Value);
        ContainerRequest.Text(host, "CpusetCpus", r.CpusetCpus.Value);
        ContainerRequest.Text(host, "CpusetMems", r.CpusetMems.Value);
        Number(host, "Memory", r.Memory.Value);
        Number(host, "MemoryReservation", r.MemoryReservation.Value);
        Number(host, "MemorySwap", r.MemorySwap.Value);
        if (r.PidsLimit.Changed) host["PidsLimit"] = r.PidsLimit.Value;
    }

    private static string NetworkMode(NetworkFlags network)
        => network.Networks.Values.Count == 0 ? "default" : EndpointSpec.Parse(network.Networks.Values[0]).Network;

    private static void Confinement(JsonObject host, RuntimeFlags r)
    {
        ContainerRequest.List(host, "CapAdd", r.CapAdd.Values);
        ContainerRequest.List(host, "CapDrop", r.CapDrop.Values);
        ContainerRequest.List(host, "GroupAdd", r.GroupAdd.Values);
        ContainerRequest.Text(host, "CgroupParent", r.CgroupParent.Value);
        ContainerRequest.Text(host, "Isolation", r.Isolation.Value);
        ContainerRequest.Text(host, "Runtime", r.Runtime.Value);
        ContainerRequest.List(host, "DeviceCgroupRules", r.DeviceRules.Values);
        if (r.Init.Changed) host["Init"] = r.Init.Value;
        if (r.Privileged) host["Privileged"] = true;
        if (r.ReadOnly) host["ReadonlyRootfs"] = true;
        if (r.Remove) host["AutoRemove"] = true;
        if (r.Sysctls.Values.Count > 0) host["Sysctls"] = ContainerRequest.Map(r.Sysctls.Values);
        Each(host, "Devices", r.Devices, OptionChecks.Device);
        host["RestartPolicy"] = OptionChecks.Restart(r.Restart.Value);
        if (r.LogDriver.Value == "none" && r.LogOpts.Values.Count > 0) throw new CliException("invalid logging opts for driver none");
        host["LogConfig"] = new JsonObject { ["Type"] = r.LogDriver.Value, ["Config"] = ContainerRequest.Map(r.LogOpts.Values) };
        SecurityOptions(host, r.SecurityOpts.Values);
    }

    private static void SecurityOptions(JsonObject host, List<string> options)
    {
        var sent = new List<string>();
        foreach (var option in options)
        {
            var at = option.AsSpan().IndexOfAny('=', ':');
            var (key, value) = at < 0 ? (option, "") : (option[..at], option[(at + 1)..]);
            if (at < 0 && key is not ("no-new-privileges" or "writable-cgroups")) throw new CliException($"Invalid --security-opt: \"{option}\"");
            switch (key)
            {
                case "systempaths" when value == "unconfined":
                    host["MaskedPaths"] = new JsonArray();
                    host["ReadonlyPaths"] = new JsonArray();
                    break;
                case "seccomp" when value is not ("unconfined" or "builtin"):
                    sent.Add("seccomp=" + SeccompProfile(value));
                    break;
                default:
                    sent.Add(option);
                    break;
            }
        }

        ContainerRequest.List(host, "SecurityOpt", sent);
    }

    private static string SeccompProfile(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(path))!.ToJsonString();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"opening seccomp profile ({path}) failed: {HostFiles.Opening(path, e).Message}");
        }
        catch (JsonException e)
        {
            throw new CliException($"compacting json for seccomp profile ({path}) failed: {e.Message}");
        }
    }

    private static void Namespaces(JsonObject host, RuntimeFlags r)
    {
        static bool IsContainer(string mode) => mode.StartsWith("container:", StringComparison.Ordinal) && mode.Length > "container:".Length;
        if (r.Pid.Value is not ("" or "host") && !IsContainer(r.Pid.Value)) throw new CliException("--pid: invalid PID mode");
        if (r.Uts.Value is not ("" or "host")) throw new CliException("--uts: invalid UTS mode");
        if (r.UserNs.Value is not ("" or "host")) throw new CliException("--userns: invalid USER mode");
        if (r.CgroupNs.Value is not ("" or "host" or "private")) throw new CliException("--cgroupns: invalid CGROUP mode");
        ContainerRequest.Text(host, "PidMode", r.Pid.Value);
        ContainerRequest.Text(host, "UTSMode", r.Uts.Value);
        ContainerRequest.Text(host, "UsernsMode", r.UserNs.Value);
        ContainerRequest.Text(host, "CgroupnsMode", r.CgroupNs.Value);
        ContainerRequest.Text(host, "IpcMode", r.Ipc.Value);
    }

    private static void Files(JsonObject host, RuntimeFlags r)
    {
        Each(host, "Mounts", r.Mounts, MountSpec.Parse);
        ContainerRequest.List(host, "VolumesFrom", r.VolumesFrom.Values);
        ContainerRequest.Text(host, "VolumeDriver", r.VolumeDriver.Value);
        Number(host, "ShmSize", r.ShmSize.Value);
        if (r.Tmpfs.Values.Count > 0)
        {
            var mounts = new JsonObject();
            foreach (var spec in r.Tmpfs.Values)
            {
                var at = spec.IndexOf(':');
                mounts[at < 0 ? spec : spec[..at]] = at < 0 ? "" : spec[(at + 1)..];
            }

            host["Tmpfs"] = mounts;
        }

        if (r.StorageOpts.Values.Count == 0) return;
        if (!r.StorageOpts.Values.TrueForAll(static o => o.Contains('='))) throw new CliException("invalid storage option");
        host["StorageOpt"] = ContainerRequest.Map(r.StorageOpts.Values);
    }

    private static void Names(JsonObject host, NetworkFlags n)
    {
        ContainerRequest.List(host, "Dns", n.Dns.Values);
        ContainerRequest.List(host, "DnsOptions", n.DnsOptions.Values);
        ContainerRequest.List(host, "DnsSearch", n.DnsSearch.Values);
        ContainerRequest.List(host, "ExtraHosts", n.AddHosts.Values);
        ContainerRequest.List(host, "Links", n.Links.Values);
        if (n.PublishAll) host["PublishAllPorts"] = true;
    }

    private static void Resources(JsonObject host, ResourceFlags r)
    {
        if (r.MemorySwappiness.Value is not -1 and (< 0 or > 100))
        {
            throw new CliException($"invalid value: {r.MemorySwappiness.Value}. Valid memory swappiness range is 0-100");
        }

        Limits(host, r);
        if (r.MemorySwappiness.Value != -1) host["MemorySwappiness"] = r.MemorySwappiness.Value;
        if (r.OomKillDisable.Changed) host["OomKillDisable"] = r.OomKillDisable.Value;
        Number(host, "OomScoreAdj", r.OomScoreAdj.Value);
        Number(host, "CpuCount", r.CpuCount.Value);
        Number(host, "CpuPercent", r.CpuPercent.Value);
        Number(host, "IOMaximumBandwidth", r.IoMaxBandwidth.Value);
        Number(host, "IOMaximumIOps", (long)r.IoMaxIops.Value);
        Number(host, "KernelMemory", r.KernelMemory.Value);
        Each(host, "BlkioWeightDevice", r.BlkioWeightDevice, OptionChecks.Weight);
        Each(host, "BlkioDeviceReadBps", r.ReadBps, OptionChecks.ByteRate);
        Each(host, "BlkioDeviceWriteBps", r.WriteBps, OptionChecks.ByteRate);
        Each(host, "BlkioDeviceReadIOps", r.ReadIops, OptionChecks.Rate);
        Each(host, "BlkioDeviceWriteIOps", r.WriteIops, OptionChecks.Rate);
        Each(host, "Ulimits", r.Ulimits, OptionChecks.Ulimit);
        Each(host, "DeviceRequests", r.Gpus, OptionChecks.Gpu);
    }

    private static void Each(JsonObject host, string name, ListFlag flag, Func<string, JsonObject> parse)
    {
        if (flag.Values.Count == 0) return;
        var array = new JsonArray();
        foreach (var value in flag.Values) array.Add((JsonNode)parse(value));
        host[name] = array;
    }

    private static void Number(JsonObject host, string name, long value)
    {
        if (value != 0) host[name] = value;
    }
}
