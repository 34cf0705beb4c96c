using Sampan.Api;
using Sampan.Oci;

namespace Sampan.Engine.Containers;

/// <summary>The image's configuration with the user's on top, by Docker's rules.</summary>
internal static class ConfigMerger
{
    public static ContainerConfig Merge(ContainerConfig user, ImageRuntimeConfig image, string hostname)
    {
        // An entrypoint of the user's own makes the image's command meaningless; [""] means none at all.
        var ownEntrypoint = user.Entrypoint is { Count: > 0 };
        List<string>? entrypoint = ownEntrypoint ? user.Entrypoint is [""] ? null : user.Entrypoint : image.Entrypoint?.ToList();
        var command = user.Cmd is { Count: > 0 } ? user.Cmd : ownEntrypoint ? null : image.Cmd?.ToList();
        var config = new ContainerConfig
        {
            Hostname = user.Hostname.Length > 0 ? user.Hostname : hostname,
            Domainname = user.Domainname,
            User = user.User.Length > 0 ? user.User : image.User ?? "",
            AttachStdin = user.AttachStdin,
            AttachStdout = user.AttachStdout,
            AttachStderr = user.AttachStderr,
            Tty = user.Tty,
            OpenStdin = user.OpenStdin,
            StdinOnce = user.StdinOnce,
            Env = Environment(user, image),
            Cmd = command,
            Entrypoint = entrypoint,
            Image = user.Image,
            WorkingDir = user.WorkingDir.Length > 0 ? MountParser.CleanPath(user.WorkingDir) : image.WorkingDir ?? "",
            Labels = new Dictionary<string, string>(image.Labels ?? []),
            StopSignal = user.StopSignal ?? image.StopSignal,
            StopTimeout = user.StopTimeout,
            Shell = user.Shell ?? image.Shell?.ToList(),
            OnBuild = image.OnBuild?.ToList(),
            Healthcheck = Health(user.Healthcheck, image.Healthcheck),
            MacAddress = user.MacAddress,
        };
        foreach (var (key, value) in user.Labels ?? [])
        {
            config.Labels[key] = value;
        }

        config.ExposedPorts = Union(user.ExposedPorts?.Keys, image.ExposedPorts);
        config.Volumes = Union(user.Volumes?.Keys, image.Volumes);
        return config;
    }

    /// <summary>What an image that is made of a container says: what the client wants of it, on top of what the container has.</summary>
    public static ImageRuntimeConfig ImageOf(ContainerConfig? user, ContainerConfig container)
    {
        var config = user is null ? container : Merge(user, ImageOf(null, container), "");
        return new ImageRuntimeConfig
        {
            User = config.User,
            ExposedPorts = config.ExposedPorts is { } ports ? new StringSet(ports.Keys) : null,
            Env = config.Env,
            Entrypoint = config.Entrypoint,
            Cmd = config.Cmd,
            Healthcheck = config.Healthcheck is not { } health ? null : new Healthcheck
            {
                Test = health.Test,
                IntervalNanoseconds = Given(health.Interval),
                TimeoutNanoseconds = Given(health.Timeout),
                StartPeriodNanoseconds = Given(health.StartPeriod),
                StartIntervalNanoseconds = Given(health.StartInterval),
                Retries = health.Retries is 0 ? null : health.Retries,
            },
            Volumes = config.Volumes is { } volumes ? new StringSet(volumes.Keys) : null,
            WorkingDir = config.WorkingDir,
            Labels = new SortedDictionary<string, string>(config.Labels ?? [], StringComparer.Ordinal),
            StopSignal = config.StopSignal,
            StopTimeoutSeconds = config.StopTimeout ?? container.StopTimeout,
            Shell = config.Shell,
        };
    }

    /// <summary>The user's variables, then the image's that they do not replace; a name without a value takes the image's away.</summary>
    private static List<string> Environment(ContainerConfig user, ImageRuntimeConfig image)
    {
        static string Name(string variable) => variable.Split('=')[0];
        var own = user.Env ?? [];
        var names = own.Select(Name).ToHashSet();
        return [.. own.Where(v => v.Contains('=')), .. (image.Env ?? []).Where(v => !names.Contains(Name(v)))];
    }

    /// <summary>The user's checks, with the image's for what they leave open.</summary>
    private static HealthConfig? Health(HealthConfig? user, Healthcheck? image) => image is null ? user : new HealthConfig
    {
        Test = user?.Test is { Count: > 0 } test ? test : image.Test?.ToList(),
        Interval = Or(user?.Interval, image.IntervalNanoseconds),
        Timeout = Or(user?.Timeout, image.TimeoutNanoseconds),
        StartPeriod = Or(user?.StartPeriod, image.StartPeriodNanoseconds),
        StartInterval = Or(user?.StartInterval, image.StartIntervalNanoseconds),
        Retries = (int)Or(user?.Retries, image.Retries),
    };

    private static long? Given(long value) => value == 0 ? null : value;

    private static long Or(long? own, long? inherited) => own is null or 0 ? inherited ?? 0 : own.Value;

    private static Dictionary<string, Empty?>? Union(IEnumerable<string>? user, IEnumerable<string>? image)
    {
        var all = (image ?? []).Concat(user ?? []).Distinct().Order(StringComparer.Ordinal).ToDictionary(k => k, _ => (Empty?)new Empty());
        return all.Count > 0 ? all : null;
    }
}
