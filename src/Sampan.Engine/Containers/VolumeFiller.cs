using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>Copies what an image has at a place into a new volume, owners, modes and links as they are.</summary>
internal static class VolumeFiller
{
    public static void Fill(OverlayRootfs overlay, string destination, string volume)
    {
        // Lowest first: what lies above replaces it.
        foreach (var layer in overlay.Lower.Reverse())
        {
            var source = Path.Join(layer, destination);
            if (IsRealDirectory(layer, destination))
            {
                CopyTree(new DirectoryInfo(source), volume);
            }
        }
    }

    /// <summary>Every component is a directory and none a link, so the copy cannot leave the layer.</summary>
    private static bool IsRealDirectory(string layer, string destination)
    {
        var path = layer;
        foreach (var part in destination.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            path = Path.Combine(path, part);
            if (!Directory.Exists(path) || new DirectoryInfo(path).LinkTarget is not null)
            {
                return false;
            }
        }

        return true;
    }

    private static void CopyTree(DirectoryInfo source, string target)
    {
        Directory.CreateDirectory(target);
        Linux.Files.CopyOwner(source.FullName, target);
        foreach (var entry in source.EnumerateFileSystemInfos())
        {
            var destination = Path.Combine(target, entry.Name);
            if (entry.LinkTarget is { } link)
            {
                File.Delete(destination);
                File.CreateSymbolicLink(destination, link);
            }
            else if (entry is DirectoryInfo directory)
            {
                CopyTree(directory, destination);
            }
            else if (Linux.Files.IsRegular(entry.FullName))
            {
                File.Copy(entry.FullName, destination, overwrite: true);
                Linux.Files.CopyOwner(entry.FullName, destination);
            }
            else
            {
                // A whiteout: what a lower layer had is deleted above.
                File.Delete(destination);
            }
        }
    }
}
