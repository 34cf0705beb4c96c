using Sampan.Api;
using Sampan.Engine.Containers;

namespace Sampan.Engine;

public sealed partial class EngineService
{
    private string UsualLogDriver => _options.LogDriver ?? LogSettings.Drivers[0];

    /// <summary>What the daemon was told to give containers that say nothing. It is recorded with the container: a daemon told otherwise changes nothing for it.</summary>
    private void TakeDefaults(HostConfig host)
    {
        host.IpcMode = host.IpcMode.Length > 0 ? host.IpcMode : _options.DefaultIpcMode ?? "private";
        host.CgroupnsMode = host.CgroupnsMode.Length > 0 ? host.CgroupnsMode : _options.DefaultCgroupnsMode ?? "private";
        host.ShmSize = host.ShmSize > 0 ? host.ShmSize : _options.DefaultShmSize;
        host.ShmSize = SpecBuilder.SharedMemoryBytes(host);
        host.Ulimits = [.. host.Ulimits ?? [], .. _options.DefaultUlimits.Where(usual => host.Ulimits?.Exists(u => u.Name == usual.Name) != true)];
        if (_options.NoNewPrivileges && SecurityOptions.Of(host).NoNewPrivileges is null)
        {
            host.SecurityOpt = [.. host.SecurityOpt ?? [], "no-new-privileges"];
        }

        // Options are one driver's: they are nothing to a container that chose another.
        host.LogConfig.Type = host.LogConfig.Type.Length > 0 ? host.LogConfig.Type : UsualLogDriver;
        if (host.LogConfig.Type == UsualLogDriver && _options.LogOpts.Count > 0)
        {
            host.LogConfig.Config = new Dictionary<string, string>(_options.LogOpts.Concat(host.LogConfig.Config ?? []).GroupBy(o => o.Key)
                .Select(o => o.Last()));
        }
    }
}
