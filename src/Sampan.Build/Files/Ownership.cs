using System.Globalization;
using System.Text;

namespace Sampan.Build.Files;

/// <summary>Users and groups of an image, by name.</summary>
internal static class Ownership
{
    private const int MaxFileBytes = 16 << 20;

    /// <summary>Owner for <c>user[:group]</c>; a user alone brings its own group, a number alone the group of the same number.</summary>
    /// <exception cref="FormatException">A name is not in the image.</exception>
    public static (uint Uid, uint Gid) Parse(string text, MergedView view)
    {
        var colon = text.IndexOf(':');
        var user = colon < 0 ? text : text[..colon];
        var group = colon < 0 ? "" : text[(colon + 1)..];
        uint uid, gid;
        if (IsNumber(user, out uid))
        {
            gid = uid;
        }
        else if (user.Length == 0)
        {
            (uid, gid) = (0, 0);
        }
        else
        {
            var fields = Find(view, "/etc/passwd", user) ?? throw new FormatException($"invalid user: no such user '{user}' in /etc/passwd");
            if (fields.Length < 4 || !IsNumber(fields[2], out uid) || !IsNumber(fields[3], out gid))
            {
                throw new FormatException($"invalid user: the line of '{user}' in /etc/passwd is damaged");
            }
        }

        if (group.Length > 0 && !IsNumber(group, out gid))
        {
            var fields = Find(view, "/etc/group", group) ?? throw new FormatException($"invalid group: no such group '{group}' in /etc/group");
            gid = fields.Length >= 3 && IsNumber(fields[2], out var number) ? number
                : throw new FormatException($"invalid group: the line of '{group}' in /etc/group is damaged");
        }

        return (uid, gid);
    }

    private static string[]? Find(MergedView view, string path, string name)
    {
        if (view.Resolve(path).Node is not { Stat.IsRegular: true } file)
        {
            return null;
        }

        var lines = Encoding.UTF8.GetString(MergedView.ReadFile(file, MaxFileBytes)).Split('\n');
        return lines.Select(line => line.Trim().Split(':')).FirstOrDefault(fields => fields[0] == name);
    }

    private static bool IsNumber(string text, out uint number) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= int.MaxValue;
}
