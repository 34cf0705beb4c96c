namespace Sampan.Engine.Containers;

/// <summary>A layer of empty files and directories for what is mounted into every container, and Docker's mark of a container.</summary>
internal static class MountPoints
{
    /// <summary>Makes what is absent and gives the directory.</summary>
    public static string Prepare(string directory)
    {
        foreach (var name in (string[])["dev/pts", "dev/shm", "dev/mqueue", "proc", "sys", "etc"])
        {
            Directory.CreateDirectory(Path.Combine(directory, name));
        }

        foreach (var name in (string[])[".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"])
        {
            var path = Path.Combine(directory, name);
            if (!File.Exists(path))
            {
                File.WriteAllBytes(path, []);
            }
        }

        // What df and mount read.
        var mtab = Path.Combine(directory, "etc/mtab");
        if (!Path.Exists(mtab) && new FileInfo(mtab).LinkTarget is null)
        {
            File.CreateSymbolicLink(mtab, "/proc/mounts");
        }

        return directory;
    }
}
