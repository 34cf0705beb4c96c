using System.Globalization;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>What is known of containers.</summary>
public sealed partial class EngineService
{
    public Task<List<ContainerSummary>> ListAsync(bool all, int limit, bool size, Dictionary<string, List<string>> filters, CancellationToken cancel)
    {
        var filter = new Filters(filters, "id", "name", "label", "status", "exited", "ancestor", "before", "since", "volume", "network", "publish", "expose", "health", "is-task");
        var containers = _containers.List();
        var before = filter.Get("before") is [var b, ..] ? _containers.Get(b).Record.Created : DateTimeOffset.MaxValue;
        var since = filter.Get("since") is [var s, ..] ? _containers.Get(s).Record.Created : DateTimeOffset.MinValue;
        var wantsStopped = all || limit > 0 || filter.Has("status") || filter.Has("exited") || filter.Has("before") || filter.Has("since");
        var ancestors = filter.Get("ancestor").Select(TryImageId).ToList();
        var chosen = containers.Where(c => (wantsStopped || c.Record.IsRunning) && c.Record.Created < before && c.Record.Created > since && Matches(c, filter)
            && (ancestors.Count == 0 || ancestors.Contains(c.Record.ImageId)));
        return Task.FromResult(chosen.Take(limit > 0 ? limit : int.MaxValue).Select(c => Summarize(c, size)).ToList());
    }

    public Task<ContainerInspect> InspectAsync(string name, bool size, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        var record = container.Record;
        long? written = size ? DirectorySize.Of(Path.Combine(DataDirectory(record.Id), "upper")) : null;
        List<string> command = [.. record.Config.Entrypoint ?? [], .. record.Config.Cmd ?? []];
        return Task.FromResult(new ContainerInspect
        {
            Id = record.Id,
            Created = GoTime.Format(record.Created),
            Path = command[0],
            Args = command[1..],
            State = new ContainerState
            {
                Status = StatusText(record),
                Running = record.IsRunning,
                Paused = record.Status == ContainerStatus.Paused,
                Restarting = record.Status == ContainerStatus.Restarting,
                OOMKilled = record.OomKilled,
                Pid = record.Pid,
                ExitCode = record.ExitCode,
                Error = record.Error,
                StartedAt = GoTime.Format(record.StartedAt),
                FinishedAt = GoTime.Format(record.FinishedAt),
                Health = container.Health?.Show(),
            },
            Image = record.ImageId,
            ResolvConfPath = Path.Combine(DataDirectory(record.Id), "resolv.conf"),
            HostnamePath = Path.Combine(DataDirectory(record.Id), "hostname"),
            HostsPath = Path.Combine(DataDirectory(record.Id), "hosts"),
            LogPath = LogPath(record.Id),
            Name = "/" + record.Name,
            RestartCount = record.RestartCount,
            Driver = "overlay2",
            ExecIDs = _execs.Values.Where(e => e.Running && e.Container == container).Select(e => e.Id).ToList() is { Count: > 0 } execs ? execs : null,
            HostConfig = record.HostConfig,
            GraphDriver = new GraphDriver { Name = "overlay2", Data = new() { ["UpperDir"] = Path.Combine(DataDirectory(record.Id), "upper") } },
            SizeRw = written,
            SizeRootFs = written + ImageSize(record),
            Mounts = [.. record.Mounts.Select(MountPointOf)],
            Config = record.Config,
            NetworkSettings = new NetworkSettings
            {
                SandboxID = record.Id,
                SandboxKey = record.IsRunning ? NamespaceOf(record, "net") : "",
                Ports = PortMap(record),
                Networks = Endpoints(record),
            },
        });
    }

    public Task<TopResponse> TopAsync(string name, string psArgs, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        RequireRunning(container, "");
        return ProcessTable.ReadAsync(Cgroup.Open(CgroupPath(container.Record)).Pids(), psArgs, cancel);
    }

    private ContainerSummary Summarize(Container container, bool size)
    {
        var record = container.Record;
        var written = size ? DirectorySize.Of(Path.Combine(DataDirectory(record.Id), "upper")) : 0;
        return new ContainerSummary
        {
            Id = record.Id,
            Names = ["/" + record.Name],
            Image = record.Image,
            ImageID = record.ImageId,
            Command = string.Join(' ', ((List<string>)[.. record.Config.Entrypoint ?? [], .. record.Config.Cmd ?? []]).Select((word, i) => i > 0 && word.Contains(' ') ? $"'{word}'" : word)),
            Created = record.Created.ToUnixTimeSeconds(),
            SizeRw = written,
            SizeRootFs = size ? written + ImageSize(record) : 0,
            Labels = record.Config.Labels ?? [],
            State = StatusText(record),
            Status = StatusSentence(container),
            Health = container.Health?.Show() is { } health
                ? new ContainerSummaryHealth { Status = health.Status, FailingStreak = health.FailingStreak }
                : new ContainerSummaryHealth(),
            HostConfig = new ContainerSummaryHostConfig { NetworkMode = record.HostConfig.NetworkMode },
            Ports = PortList(record),
            NetworkSettings = new ContainerSummaryNetworkSettings { Networks = Endpoints(record) },
            Mounts = [.. record.Mounts.Select(MountPointOf)],
        };
    }

    private long ImageSize(ContainerRecord record) =>
        record.ChainId is { } chain ? _store.Layers.Stack(Oci.ChainId.Parse(chain)).Sum(l => l.Size) : 0;

    private string? TryImageId(string name)
    {
        try
        {
            return _store.Images.Resolve(name).Id.ToString();
        }
        catch (Store.StoreException e) when (e.Kind == Store.StoreErrorKind.NotFound)
        {
            return name;
        }
    }

    private bool Matches(Container container, Filters filter) => Matches(container.Record, filter)
        && filter.Match("health", v => (container.Health?.Status ?? HealthState.None) == v);

    private bool Matches(ContainerRecord record, Filters filter) =>
        filter.Match("id", v => record.Id.StartsWith(v, StringComparison.Ordinal))
        && filter.MatchPattern("name", record.Name, "/" + record.Name)
        && filter.Match("status", v => StatusText(record) == v)
        && filter.Match("exited", v => record.Status == ContainerStatus.Exited && record.ExitCode.ToString(CultureInfo.InvariantCulture) == v)
        && filter.Match("volume", v => record.Mounts.Exists(m => m.Name == v || m.Destination == v || m.Source == v))
        && filter.Match("network", v => MatchesNetwork(record, v))
        && filter.Match("publish", v => MatchesPort(v, [.. record.Ports.SelectMany(p => p.Each()).Select(p => $"{p.HostPort}/{p.Protocol}")]))
        && filter.Match("expose", v => MatchesPort(v, [.. (record.Config.ExposedPorts ?? []).Keys]))
        && filter.MatchLabels(record.Config.Labels);

    private static string StatusText(ContainerRecord record) => record.Status.ToString().ToLowerInvariant();

    private string StatusSentence(Container container)
    {
        var record = container.Record;
        var now = _time.GetUtcNow();
        return record.Status switch
        {
            ContainerStatus.Running => $"Up {Age(now - record.StartedAt)}{HealthNote(container.Health?.Status)}",
            ContainerStatus.Paused => $"Up {Age(now - record.StartedAt)} (Paused)",
            ContainerStatus.Exited => $"Exited ({record.ExitCode}) {Age(now - record.FinishedAt)} ago",
            ContainerStatus.Restarting => $"Restarting ({record.ExitCode}) {Age(now - record.FinishedAt)} ago",
            ContainerStatus.Removing => "Removal In Progress",
            var other => other.ToString(),
        };
    }

    private static string HealthNote(string? status) => status switch
    {
        null => "",
        HealthState.Starting => " (health: starting)",
        _ => $" ({status})",
    };

    /// <summary>A duration as Docker words it.</summary>
    private static string Age(TimeSpan? span)
    {
        var age = span ?? TimeSpan.Zero;
        return age.TotalSeconds switch
        {
            < 1 => "Less than a second",
            < 2 => "1 second",
            < 60 => $"{(int)age.TotalSeconds} seconds",
            < 120 => "About a minute",
            < 3600 => $"{(int)age.TotalMinutes} minutes",
            < 5400 => "About an hour",
            < 48 * 3600 => $"{(int)Math.Round(age.TotalHours)} hours",
            < 14 * 86400 => $"{(int)age.TotalDays} days",
            < 60 * 86400 => $"{(int)(age.TotalDays / 7)} weeks",
            < 730 * 86400.0 => $"{(int)(age.TotalDays / 30)} months",
            _ => $"{(int)(age.TotalDays / 365)} years",
        };
    }

    private static MountPoint MountPointOf(ContainerMount mount) => new()
    {
        Type = mount.Type,
        Name = mount.Name.Length > 0 ? mount.Name : null,
        Source = mount.Source,
        Destination = mount.Destination,
        Driver = mount.Type == "volume" ? "local" : null,
        Mode = mount.Mode,
        RW = !mount.ReadOnly,
        Propagation = mount.Type == "bind" && mount.Propagation.Length == 0 ? "rprivate" : mount.Propagation,
    };
}

/// <summary>What the files below a directory take, hard links once.</summary>
internal static class DirectorySize
{
    public static long Of(string directory) => Directory.Exists(directory)
        ? new DirectoryInfo(directory).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true }).Sum(f => f.Length)
        : 0;
}
