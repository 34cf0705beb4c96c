using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A root file system of layers, mounted with overlayfs inside the container's own mount namespace.</summary>
/// <param name="Lower">The layers' directories, topmost first; absolute. May be empty, as for an image made from scratch.</param>
/// <param name="Upper">The writable directory; null for a read-only root.</param>
/// <param name="Work">overlayfs's own directory, on the same file system as <paramref name="Upper"/>.</param>
public sealed record OverlayRootfs(IReadOnlyList<string> Lower, string? Upper, string? Work)
{
    /// <param name="target">Where it will be mounted; empty, so that it may stand for missing layers: overlayfs wants one, and two when nothing is writable.</param>
    internal OverlayMount Prepare(string target)
    {
        List<string> lower = [.. Lower];
        while (lower.Count < (Upper is null ? 2 : 1))
        {
            lower.Add(target);
        }

        return new OverlayMount(lower, Upper, Work, target);
    }
}

/// <summary>An overlay worked out before the fork.</summary>
public sealed class OverlayMount
{
    /// <summary>mount(2) takes one page of options.</summary>
    private const int OptionsLimit = 4095;

    /// <summary>The kernel takes 500 layers (OVL_MAX_STACK). What is more is mounted first, at the same place, and serves as the lowest layer.</summary>
    private const int MaxLayers = 400;

    /// <summary>
    /// Off whatever the module's defaults are: they leave marks in the upper directory that only the same stack of layers understands, and
    /// an upper directory becomes a layer by commit.
    /// </summary>
    private static readonly (string Key, string Value)[] Features = [("index", "off"), ("redirect_dir", "off"), ("metacopy", "off")];

    private static readonly CString Overlay = CString.Of("overlay"), Empty = CString.Of("");

    private readonly CString _directory, _options;
    private readonly (CString Key, CString Value)[] _settings = [];
    private readonly OverlayMount? _below;

    /// <param name="target">Where it will be mounted.</param>
    public OverlayMount(IReadOnlyList<string> lower, string? upper, string? work, string target)
    {
        if (lower.Count > MaxLayers)
        {
            _below = new OverlayMount([.. lower.Skip(MaxLayers - 1)], null, null, target);
            lower = [.. lower.Take(MaxLayers - 1), target];
        }

        // The child stands in the layers' common directory and names them relative to it, so that a long chain fits the page.
        var common = CommonDirectory(lower);
        List<(string Key, string Value)> rest = [.. Features];
        if (upper is not null)
        {
            rest.InsertRange(0, [("upperdir", upper), ("workdir", work ?? throw new ArgumentException("an overlay with an upper directory needs a work directory"))]);
        }

        var options = string.Join(',',
            [$"lowerdir={string.Join(':', lower.Select(l => Escape(l[(common.Length + 1)..])))}", .. rest.Select(r => $"{r.Key}={Escape(r.Value)}")]);
        _directory = CString.Of(common.Length == 0 ? "/" : common);
        _options = CString.Of(options);
        Description = $"overlay of {lower.Count} layers ({options})";
        if (Bytes.FromText(options).Length > OptionsLimit)
        {
            // One setting for each layer has no such limit, since Linux 6.8.
            _settings = [.. lower.Select(l => ("lowerdir+", l)).Concat(rest).Select(s => (CString.Of(s.Item1), CString.Of(s.Item2)))];
            Description = $"overlay of {lower.Count} layers (more than {OptionsLimit} bytes of options: needs Linux 6.8)";
        }
    }

    public string Description { get; }

    /// <summary>In the child: mounts onto a directory. 0 or a negated errno.</summary>
    public int Apply(CString target)
    {
        if (_below is not null && _below.Apply(target) is < 0 and var failed)
        {
            return failed;
        }

        if (_settings.Length > 0)
        {
            return ApplyEach(target);
        }

        var result = Raw.Chdir(_directory);
        return result < 0 ? result : Raw.Mount(Overlay, target, Overlay, 0, _options);
    }

    private int ApplyEach(CString target)
    {
        var fs = Raw.Fsopen(Overlay);
        var result = fs;
        for (var i = 0; i < _settings.Length && result >= 0; i++)
        {
            result = Raw.FsconfigSet(fs, _settings[i].Key, _settings[i].Value);
        }

        result = result < 0 ? result : Raw.FsconfigCreate(fs);
        var mount = result < 0 ? result : Raw.Fsmount(fs, 0);
        var point = mount < 0 ? mount : Raw.Openat2(Raw.AT_FDCWD, target, Raw.O_PATH | Raw.O_CLOEXEC, 0, 0);
        result = point < 0 ? point : Raw.MoveMount(mount, Empty, point);
        Raw.Close(fs);
        Raw.Close(mount);
        Raw.Close(point);
        return result;
    }

    /// <summary>The deepest directory that holds all of them, without a slash at the end: "" is the root.</summary>
    private static string CommonDirectory(IReadOnlyList<string> paths)
    {
        var common = paths[0];
        do
        {
            common = common[..common.LastIndexOf('/')];
        }
        while (!paths.All(p => p.StartsWith(common + "/", StringComparison.Ordinal)));
        return common;
    }

    private static string Escape(string path) => path.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace(":", "\\:", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);
}
