using System.Globalization;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Engine.Containers;

/// <summary>
/// Who <c>USER</c> means in a container: names are looked up in its own /etc/passwd and /etc/group, read through the layers (or the root
/// of a running container) without following links out of them.
/// </summary>
internal static class UserLookup
{
    /// <summary>More than any real passwd file; an image cannot make the daemon read without end.</summary>
    private const int FileLimit = 4 << 20;

    /// <param name="user">As in <c>user</c>, <c>uid</c>, <c>user:group</c>, <c>uid:gid</c>; empty is root.</param>
    /// <param name="extraGroups">Names or numbers of <c>--group-add</c>.</param>
    /// <param name="roots">Directories to look in, topmost first.</param>
    public static (User User, string Home) Resolve(string user, IReadOnlyList<string>? extraGroups, IReadOnlyList<string> roots)
    {
        var colon = user.IndexOf(':');
        var (name, group) = colon < 0 ? (user, "") : (user[..colon], user[(colon + 1)..]);
        var passwd = Lines("etc/passwd", roots);
        var groups = Lines("etc/group", roots);
        var entry = name.Length == 0
            ? passwd.Find(f => f.Length > 3 && f[2] == "0")
            : passwd.Find(f => f.Length > 3 && f[0] == name) ?? passwd.Find(f => f.Length > 3 && f[2] == name);
        uint uid = 0, gid = 0;
        if (entry is not null && uint.TryParse(entry[2], CultureInfo.InvariantCulture, out var u) && uint.TryParse(entry[3], CultureInfo.InvariantCulture, out var g))
        {
            (uid, gid) = (u, g);
        }
        else if (name.Length > 0 && !uint.TryParse(name, CultureInfo.InvariantCulture, out uid))
        {
            throw EngineException.Invalid($"unable to find user {name}: no matching entries in passwd file");
        }

        var login = entry?[0] ?? name;
        List<uint> more = group.Length > 0 ? [] : [.. groups.Where(f => f.Length > 3 && f[3].Split(',').Contains(login)).Select(f => GroupId(f[0], groups))];
        gid = group.Length > 0 ? GroupId(group, groups) : gid;
        more.AddRange((extraGroups ?? []).Select(e => GroupId(e, groups)));
        return (new User { Uid = uid, Gid = gid, AdditionalGids = [.. more.Prepend(gid).Distinct()] }, entry is { Length: > 5 } ? entry[5] : "/");
    }

    private static uint GroupId(string group, List<string[]> groups) =>
        uint.TryParse(groups.Find(f => f.Length > 2 && f[0] == group)?[2] ?? group, CultureInfo.InvariantCulture, out var gid)
            ? gid
            : throw EngineException.Invalid($"unable to find group {group}: no matching entries in group file");

    private static List<string[]> Lines(string path, IReadOnlyList<string> roots)
    {
        var name = CString.Of(path);
        foreach (var root in roots)
        {
            var directory = Raw.Openat2(Raw.AT_FDCWD, CString.Of(root), Raw.O_PATH | Raw.O_DIRECTORY | Raw.O_CLOEXEC, 0, 0);
            var file = directory < 0 ? directory : Raw.Openat2(directory, name, Raw.O_RDONLY | Raw.O_NONBLOCK | Raw.O_CLOEXEC, 0, Raw.RESOLVE_IN_ROOT);
            if (directory >= 0)
            {
                Raw.Close(directory);
            }

            if (file >= 0)
            {
                return [.. ReadAll(file).Split('\n').Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split(':'))];
            }
        }

        return [];
    }

    private static string ReadAll(int fd)
    {
        var content = new List<byte>();
        var buffer = new byte[16 * 1024];
        int read;
        while (content.Count < FileLimit && (read = Raw.Read(fd, buffer)) > 0)
        {
            content.AddRange(buffer.AsSpan(0, read));
        }

        Raw.Close(fd);
        return Bytes.ToText(content.ToArray());
    }
}
