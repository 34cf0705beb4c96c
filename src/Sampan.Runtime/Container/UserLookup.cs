using System.Globalization;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>A user of a container as the kernel takes it.</summary>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Primary group id.</param>
/// <param name="AdditionalGids">All groups, the primary one first.</param>
/// <param name="Home">For HOME; "/" for a user without an entry.</param>
public sealed record ContainerUser(uint Uid, uint Gid, IReadOnlyList<uint> AdditionalGids, string Home);

/// <summary>A user or group is not in the container's files.</summary>
public sealed class UserNotFoundException(string message) : Exception(message);

/// <summary>Turns Docker's <c>user[:group]</c> into numbers by the container's own /etc/passwd and /etc/group (passwd(5), group(5)).</summary>
public static class UserLookup
{
    private readonly record struct PasswdEntry(string Name, uint Uid, uint Gid, string Home);

    private readonly record struct GroupEntry(string Name, uint Gid, string[] Members);

    /// <summary>
    /// Looks a user up. A number is always an id and need have no entry; a name must have one. Without a group the user has the groups that
    /// list it; with one, only that.
    /// </summary>
    /// <param name="user">Empty for root.</param>
    /// <param name="groupAdd">More groups, names or ids.</param>
    /// <param name="files">The container's files.</param>
    /// <exception cref="UserNotFoundException">No such user or group.</exception>
    public static ContainerUser Resolve(string? user, IEnumerable<string>? groupAdd, ContainerFiles files)
    {
        var colon = (user ?? "").IndexOf(':');
        var (userPart, groupPart) = colon < 0 ? (user ?? "", "") : (user![..colon], user[(colon + 1)..]);
        var passwd = Lines(files.Read("/etc/passwd")).Select(PasswdOf).OfType<PasswdEntry>();
        var groups = Lines(files.Read("/etc/group")).Select(GroupOf).OfType<GroupEntry>().ToList();

        PasswdEntry? entry;
        uint uid = 0, gid = 0;
        if (userPart.Length == 0 || IsId(userPart, out uid))
        {
            entry = First(passwd.Where(p => p.Uid == uid));
        }
        else
        {
            entry = First(passwd.Where(p => p.Name == userPart))
                ?? throw new UserNotFoundException($"unable to find user {userPart}: no matching entries in passwd file");
        }

        var home = "/";
        if (entry is { } found)
        {
            (uid, gid, home) = (found.Uid, found.Gid, found.Home.Length > 0 ? found.Home : "/");
        }

        IEnumerable<uint> additional = [];
        if (groupPart.Length > 0)
        {
            gid = GroupId(groupPart, groups);
        }
        else if (entry is { } member)
        {
            additional = groups.Where(g => g.Members.Contains(member.Name)).Select(g => g.Gid);
        }

        return new ContainerUser(uid, gid, [.. additional.Prepend(gid).Concat((groupAdd ?? []).Select(g => GroupId(g, groups))).Distinct()], home);
    }

    private static uint GroupId(string group, List<GroupEntry> groups) =>
        IsId(group, out var id) ? id : First(groups.Where(g => g.Name == group))?.Gid
            ?? throw new UserNotFoundException($"unable to find group {group}: no matching entries in group file");

    private static T? First<T>(IEnumerable<T> entries)
        where T : struct
    {
        foreach (var entry in entries)
        {
            return entry;
        }

        return null;
    }

    /// <summary>Ids are 0 to 2^31-1, as Docker takes them.</summary>
    private static bool IsId(string text, out uint id) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id <= int.MaxValue;

    private static string[] Lines(byte[]? text) => text is null ? [] : Bytes.ToText(text).Split('\n');

    private static PasswdEntry? PasswdOf(string line) => line.Split(':') is [var name, _, var uid, var gid, ..] fields && IsId(uid, out var u) && IsId(gid, out var g)
        ? new PasswdEntry(name, u, g, fields.Length > 5 ? fields[5] : "")
        : null;

    private static GroupEntry? GroupOf(string line) => line.Split(':') is [var name, _, var gid, ..] fields && IsId(gid, out var g)
        ? new GroupEntry(name, g, fields.Length > 3 ? fields[3].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) : [])
        : null;
}
