namespace Sampan.Linux;

/// <summary>
/// Kernel parameters under /proc/sys, named by slashes since interface names may hold dots. Those under <c>net/</c> are the calling thread's
/// network namespace's.
/// </summary>
public static class Sysctl
{
    /// <summary>The value without its line end, or null when the kernel has no such parameter.</summary>
    public static string? Read(string name)
    {
        var path = Path.Combine("/proc/sys", name);
        return File.Exists(path) ? File.ReadAllText(path).TrimEnd('\n') : null;
    }

    /// <summary>Writes a value where it is not there already, so that a read-only /proc/sys with the right value is no hindrance.</summary>
    /// <returns>False when the kernel has no such parameter (e.g. IPv6 is switched off).</returns>
    public static bool Write(string name, string value)
    {
        var current = Read(name);
        if (current is not null && current != value)
        {
            File.WriteAllText(Path.Combine("/proc/sys", name), value);
        }

        return current is not null;
    }
}
