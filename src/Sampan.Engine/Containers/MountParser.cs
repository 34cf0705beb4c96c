namespace Sampan.Engine.Containers;

/// <summary>One of a container's mounts, as worked out from binds, <c>--mount</c>, <c>--tmpfs</c> and the image's volumes.</summary>
internal sealed record MountRequest
{
    /// <summary><c>bind</c>, <c>volume</c> or <c>tmpfs</c>.</summary>
    public required string Type { get; init; }

    /// <summary>A host path (bind), a volume's name (volume; empty for an anonymous one) or empty (tmpfs).</summary>
    public string Source { get; init; } = "";

    /// <summary>The absolute path inside the container, cleaned.</summary>
    public required string Destination { get; init; }

    public bool ReadOnly { get; init; }

    /// <summary>The options as they were written (<c>inspect</c> shows them as Mode).</summary>
    public string Mode { get; init; } = "";

    /// <summary>Mount propagation (mount(8)); empty is the default, rprivate.</summary>
    public string Propagation { get; init; } = "";

    /// <summary>A new volume is not filled from the image.</summary>
    public bool NoCopy { get; init; }

    /// <summary>A missing bind source is made a directory: the <c>-v</c> form does it, <c>--mount</c> does not.</summary>
    public bool CreateSource { get; init; }

    /// <summary>The mounts below a bind source do not come along.</summary>
    public bool NonRecursive { get; init; }

    public bool ReadOnlyNonRecursive { get; init; }

    public string? VolumeDriver { get; init; }

    public IReadOnlyDictionary<string, string>? VolumeLabels { get; init; }

    public IReadOnlyDictionary<string, string>? VolumeOptions { get; init; }

    /// <summary>Options of a tmpfs as in <c>size=64m,mode=1777</c>.</summary>
    public string TmpfsOptions { get; init; } = "";
}

/// <summary>Docker's <c>source:destination:options</c> notation.</summary>
internal static class MountParser
{
    private static readonly string[] Propagations = ["shared", "rshared", "slave", "rslave", "private", "rprivate"];

    /// <summary>Parses one <c>Binds</c> entry. Errors are dockerd's.</summary>
    public static MountRequest ParseBind(string spec)
    {
        var parts = spec.Split(':');
        if (parts.Length > 3 || parts.Any(p => p.Length == 0))
        {
            throw Invalid(spec);
        }

        var (source, destination, mode) = parts.Length switch
        {
            1 => ("", parts[0], ""),
            2 => IsMode(parts[1]) && !parts[1].StartsWith('/') ? ("", parts[0], parts[1]) : (parts[0], parts[1], ""),
            _ => (parts[0], parts[1], parts[2]),
        };
        destination = CleanDestination(destination, spec);
        var options = ParseMode(mode, spec);
        if (source.StartsWith('/'))
        {
            return new MountRequest
            {
                Type = "bind",
                Source = CleanPath(source),
                Destination = destination,
                ReadOnly = options.ReadOnly,
                Mode = mode,
                Propagation = options.Propagation,
                CreateSource = true,
            };
        }

        if (source.Length > 0)
        {
            Volumes.VolumeService.ValidateName(source);
        }

        return new MountRequest
        {
            Type = "volume",
            Source = source,
            Destination = destination,
            ReadOnly = options.ReadOnly,
            Mode = mode,
            NoCopy = options.NoCopy,
            Propagation = options.Propagation,
        };
    }

    /// <summary>One <c>--mount</c>.</summary>
    public static MountRequest OfMount(Api.Mount mount)
    {
        var target = mount.Target ?? "";
        if (mount.Type is not ("bind" or "volume" or "tmpfs"))
        {
            throw EngineException.Invalid($"invalid mount config for type \"{mount.Type}\": mount type unknown");
        }

        if (!target.StartsWith('/') || CleanPath(target) == "/")
        {
            throw EngineException.Invalid($"invalid mount config for type \"{mount.Type}\": invalid mount path: '{target}' mount path must be absolute");
        }

        if (mount.Type == "bind" && mount.Source?.StartsWith('/') != true)
        {
            throw EngineException.Invalid($"invalid mount config for type \"bind\": invalid mount path: '{mount.Source}' mount path must be absolute");
        }

        if (mount.VolumeOptions?.Subpath is { Length: > 0 } subpath)
        {
            throw EngineException.Invalid($"invalid mount config for type \"volume\": a path inside a volume (volume-subpath={subpath}) cannot be mounted here");
        }

        List<string> tmpfs = [];
        if (mount.TmpfsOptions is { } options)
        {
            tmpfs.AddRange(options.SizeBytes > 0 ? [$"size={options.SizeBytes}"] : []);
            tmpfs.AddRange(options.Mode > 0 ? [$"mode={Convert.ToString(options.Mode, 8)}"] : []);
        }

        return new MountRequest
        {
            Type = mount.Type,
            Source = mount.Type == "bind" ? CleanPath(mount.Source!) : mount.Source ?? "",
            Destination = CleanPath(target),
            ReadOnly = mount.ReadOnly,
            Mode = mount.Type == "volume" ? "z" : "",
            Propagation = mount.BindOptions?.Propagation ?? "",
            NonRecursive = mount.BindOptions?.NonRecursive ?? false,
            ReadOnlyNonRecursive = mount.BindOptions?.ReadOnlyNonRecursive ?? false,
            CreateSource = mount.BindOptions?.CreateMountpoint ?? false,
            NoCopy = mount.VolumeOptions?.NoCopy ?? false,
            VolumeLabels = mount.VolumeOptions?.Labels,
            VolumeOptions = mount.VolumeOptions?.DriverConfig?.Options,
            TmpfsOptions = string.Join(',', tmpfs),
        };
    }

    /// <summary>Lexically cleans an absolute path: no <c>.</c>, <c>..</c>, doubled or trailing slashes.</summary>
    public static string CleanPath(string path)
    {
        var result = new List<string>();
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                if (result.Count > 0)
                {
                    result.RemoveAt(result.Count - 1);
                }
            }
            else if (part != ".")
            {
                result.Add(part);
            }
        }

        return "/" + string.Join('/', result);
    }

    /// <summary>The destination of a mount: absolute and not the root.</summary>
    public static string CleanDestination(string destination, string spec)
    {
        if (!destination.StartsWith('/'))
        {
            throw EngineException.Invalid($"invalid volume specification: '{spec}': invalid mount config for type \"bind\": invalid mount path: '{destination}' mount path must be absolute");
        }

        var clean = CleanPath(destination);
        return clean != "/"
            ? clean
            : throw EngineException.Invalid($"invalid volume specification: '{spec}': invalid mount config for type \"bind\": invalid specification: destination can't be '/'");
    }

    private static bool IsMode(string text) => text.Split(',').All(o =>
        o is "ro" or "rw" or "z" or "Z" or "nocopy" or "cached" or "delegated" or "consistent" || Propagations.Contains(o));

    private static (bool ReadOnly, bool NoCopy, string Propagation) ParseMode(string mode, string spec)
    {
        if (mode.Length == 0)
        {
            return (false, false, "");
        }

        if (!IsMode(mode))
        {
            throw EngineException.Invalid($"invalid volume specification: '{spec}': invalid mode: {mode}");
        }

        var options = mode.Split(',');
        if (options.Contains("ro") && options.Contains("rw"))
        {
            throw EngineException.Invalid($"invalid volume specification: '{spec}': invalid mode: {mode}");
        }

        return (options.Contains("ro"), options.Contains("nocopy"), Array.Find(options, o => Propagations.Contains(o)) ?? "");
    }

    private static EngineException Invalid(string spec) => EngineException.Invalid($"invalid volume specification: '{spec}'");
}
