namespace Sampan.Tests.Integration.Kit;

/// <summary>The control groups of the real machine, version 1 or 2.</summary>
public static class Cgroups
{
    private static readonly EnumerationOptions s_all = new()
    {
        RecurseSubdirectories = true,
        IgnoreInaccessible = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
    };

    /// <summary>Every control group, parents before children.</summary>
    public static IEnumerable<string> All() => Directory.EnumerateDirectories("/sys/fs/cgroup", "*", s_all);

    /// <summary>Every control group whose path contains <paramref name="containerId"/>.</summary>
    public static IReadOnlyList<string> Of(string containerId) =>
        [.. All().Where(path => path.Contains(containerId, StringComparison.Ordinal))];

    /// <summary>Removes a control group with its children; one that is gone already is no error.</summary>
    public static void Remove(string path)
    {
        if (!Directory.Exists(path))
            return;
        foreach (string child in Directory.GetDirectories(path))
            Remove(child);
        // The kernel needs a moment after the last process has gone.
        for (int attempt = 0; Directory.Exists(path) && attempt < 50; attempt++)
        {
            try
            {
                Directory.Delete(path);
            }
            catch (IOException)
            {
                Thread.Sleep(20);
            }
        }
    }
}
