using System.Globalization;
using Sampan.Daemon.Options;
using Sampan.Linux;

namespace Sampan.Daemon.Listening;

/// <summary>Groups of this machine, as the socket's owner.</summary>
internal static class Groups
{
    private const int AT_FDCWD = -100;
    private const uint SocketMode = 0x1B0; // 0660

    private static readonly string[] Defaults = ["sampan", "docker"];

    /// <summary>The id of a group by name or number; without one, that of a default group, or root's.</summary>
    /// <exception cref="SettingsException">The named group does not exist.</exception>
    public static uint Resolve(string? name)
    {
        var groups = Read();
        if (string.IsNullOrEmpty(name))
        {
            return Defaults.Where(groups.ContainsKey).Select(d => groups[d]).FirstOrDefault();
        }

        return groups.TryGetValue(name, out var id) || uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out id)
            ? id
            : throw new SettingsException($"group '{name}' not found (--group)");
    }

    /// <summary>Lets root and <paramref name="group"/>, and nobody else, use a file.</summary>
    public static void Give(string path, uint group)
    {
        var name = CString.Of(path);
        var result = Raw.Fchownat(AT_FDCWD, name, uint.MaxValue, group, 0);
        if (result < 0)
        {
            throw new SyscallException("fchownat", $"'{path}' to group {group}", -result);
        }

        result = Raw.Fchmodat(AT_FDCWD, name, SocketMode);
        if (result < 0)
        {
            throw new SyscallException("fchmodat", $"'{path}' to 0660", -result);
        }
    }

    private static Dictionary<string, uint> Read()
    {
        var groups = new Dictionary<string, uint>();
        foreach (var line in File.Exists("/etc/group") ? File.ReadLines("/etc/group") : [])
        {
            var fields = line.Split(':');
            if (fields.Length >= 3 && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                groups.TryAdd(fields[0], id);
            }
        }

        return groups;
    }
}
