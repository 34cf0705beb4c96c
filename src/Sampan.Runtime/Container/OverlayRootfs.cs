using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A root file system of layers, mounted with overlayfs inside the container's own mount namespace.</summary>
/// <param name="Lower">The layers' directories, topmost first; absolute.</param>
/// <param name="Upper">The writable directory; null for a read-only root.</param>
/// <param name="Work">overlayfs's own directory, on the same file system as <paramref name="Upper"/>.</param>
public sealed record OverlayRootfs(IReadOnlyList<string> Lower, string? Upper, string? Work)
{
    /// <summary>The kernel takes one page of mount options.</summary>
    private const int OptionsLimit = 4095;

    /// <summary>
    /// The directory to be in, and mount(2)'s options with the layers relative to it, so that a long chain fits the page.
    /// </summary>
    internal (CString Directory, CString Options) Prepare()
    {
        var common = CommonDirectory();
        var lower = string.Join(':', Lower.Select(l => Escape(l[(common.Length + 1)..])));
        var options = Upper is null ? $"lowerdir={lower}" : $"lowerdir={lower},upperdir={Escape(Upper)},workdir={Escape(Work!)}";
        if (Bytes.FromText(options).Length > OptionsLimit)
        {
            throw new InvalidOperationException($"overlay of {Lower.Count} layers: the mount options are longer than {OptionsLimit} bytes");
        }

        return (CString.Of(common), CString.Of(options));
    }

    private string CommonDirectory()
    {
        var common = Path.GetDirectoryName(Lower[0])!;
        while (!Lower.All(l => l.StartsWith(common + "/", StringComparison.Ordinal)))
        {
            common = Path.GetDirectoryName(common)!;
        }

        return common.TrimEnd('/');
    }

    private static string Escape(string path) => path.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace(":", "\\:", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal);
}
