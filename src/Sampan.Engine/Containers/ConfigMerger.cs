using Sampan.Api;
using Sampan.Oci;

namespace Sampan.Engine.Containers;

/// <summary>The image's configuration with the user's on top, by Docker's rules.</summary>
internal static class ConfigMerger
{
    private const string DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    public static ContainerConfig Merge(ContainerConfig user, ImageRuntimeConfig image, string id)
    {
        // An entrypoint of the user's own makes the image's command meaningless; [""] means none at all.
        var ownEntrypoint = user.Entrypoint is { Count: > 0 };
        List<string>? entrypoint = ownEntrypoint ? user.Entrypoint is [""] ? null : user.Entrypoint : image.Entrypoint?.ToList();
        var command = user.Cmd is { Count: > 0 } ? user.Cmd : ownEntrypoint ? null : image.Cmd?.ToList();
        var config = new ContainerConfig
        {
            Hostname = user.Hostname.Length > 0 ? user.Hostname : id[..12],
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
            Healthcheck = user.Healthcheck,
        };
        foreach (var (key, value) in user.Labels ?? [])
        {
            config.Labels[key] = value;
        }

        config.ExposedPorts = Union(user.ExposedPorts?.Keys, image.ExposedPorts);
        config.Volumes = Union(user.Volumes?.Keys, image.Volumes);
        return config;
    }

    private static List<string> Environment(ContainerConfig user, ImageRuntimeConfig image)
    {
        var variables = new List<string>(image.Env ?? []);
        if (!variables.Exists(v => v.StartsWith("PATH=", StringComparison.Ordinal)))
        {
            variables.Insert(0, DefaultPath);
        }

        foreach (var variable in user.Env ?? [])
        {
            var equals = variable.IndexOf('=');
            var name = equals < 0 ? variable : variable[..equals];
            variables.RemoveAll(v => v.StartsWith(name + "=", StringComparison.Ordinal));
            if (equals >= 0)
            {
                variables.Add(variable);
            }
        }

        return variables;
    }

    private static Dictionary<string, Empty?>? Union(IEnumerable<string>? user, IEnumerable<string>? image)
    {
        var all = (image ?? []).Concat(user ?? []).Distinct().Order(StringComparer.Ordinal).ToDictionary(k => k, _ => (Empty?)new Empty());
        return all.Count > 0 ? all : null;
    }
}
