using Sampan.Dockerfile.Ignore;
using Sampan.Store;

namespace Sampan.Build.Cache;

/// <summary>Says in words what differs between the parts of a step's key in the last build and in this one.</summary>
internal sealed class MissReasons(IReadOnlyList<CacheKeyPart> before, IReadOnlyList<CacheKeyPart> now)
{
    private const int MaxReasons = 10;
    private const int MaxValueChars = 80;
    private const int DigestChars = 19; // "sha256:" and twelve digits, as image IDs are shown

    /// <summary>Between what a file is and the digest of its extended attributes (see <c>Transfer</c>).</summary>
    private const string XattrsMark = " xattrs ";

    /// <summary>What follows from an instruction's text, so that it says nothing new when that has changed.</summary>
    private static readonly string[] FromText = ["step", "instruction", "command", "script", "network", "security"];

    private readonly Dictionary<string, string> _old = Values(before);
    private readonly Dictionary<string, string> _new = Values(now);

    /// <summary>The instruction as it was and is written, when that is not the same.</summary>
    public (string Before, string Now)? Texts { get; init; }

    /// <summary>The line at which what the step stands on became different.</summary>
    public int? ParentChangedAt { get; init; }

    public IgnoreMatcher Ignore { get; init; } = IgnoreMatcher.None;

    /// <summary>The ignore file is another than in the last build.</summary>
    public bool IgnoreChanged { get; init; }

    /// <summary>The reasons, at most so many that one still reads them.</summary>
    public IReadOnlyList<string> List()
    {
        List<string> reasons = [.. Texts is { } texts ? [$"the instruction changed ('{Clip(texts.Before)}' to '{Clip(texts.Now)}')"] : (string[])[]];
        var counts = Texts is null ? static _ => true : (Func<string, bool>)(name => !FromText.Contains(name) && !IsOf(name, "file ") && !IsOf(name, "mount "));
        reasons.AddRange(_new.Where(p => counts(p.Key) && _old.TryGetValue(p.Key, out var old) && old != p.Value).SelectMany(p => Changed(p.Key, _old[p.Key], p.Value)));
        reasons.AddRange(_new.Where(p => counts(p.Key) && !_old.ContainsKey(p.Key)).Select(p => New(p.Key, p.Value)));
        reasons.AddRange(_old.Where(p => counts(p.Key) && !_new.ContainsKey(p.Key)).Select(p => Gone(p.Key)));
        return reasons.Count == 0 ? ["what it left is no longer in the store"]
            : reasons.Count <= MaxReasons ? reasons : [.. reasons.Take(MaxReasons), $"and {reasons.Count - MaxReasons} more"];
    }

    private IEnumerable<string> Changed(string name, string old, string value)
    {
        if (IsOf(name, "file "))
        {
            return File(name["file ".Length..], old, value);
        }

        return
        [
            name switch
            {
                "parent" => ParentChangedAt is { } line ? $"its parent changed at line {line}" : $"its parent changed ({Short(old)} to {Short(value)})",
                "base" => $"the base image changed ({Short(old)} to {Short(value)})",
                "instruction" => $"the instruction became '{Clip(value)}' ('{Clip(old)}' before)",
                "directory" => $"WORKDIR {Clip(old)} → {Clip(value)}",
                "user" => $"USER {Named(old)} → {Named(value)}",
                _ when IsOf(name, "arg ") || IsOf(name, "env ") => $"{Upper(name)} {Clip(old)} → {Clip(value)}",
                _ => $"{name} {Clip(old)} → {Clip(value)}",
            },
        ];
    }

    private static string New(string name, string value) => IsOf(name, "arg ") || IsOf(name, "env ") ? $"{Upper(name)}={Clip(value)} is new"
        : IsOf(name, "file ") ? $"{name["file ".Length..]} is new" : $"{name} is new ({Clip(value)})";

    private string Gone(string name)
    {
        if (!IsOf(name, "file "))
        {
            return $"{Upper(name)} is gone";
        }

        var path = name["file ".Length..];
        return IgnoreChanged && Ignore.Check(path.TrimStart('/')) is { IsIgnored: true, Rule: { } rule }
            ? $"{path} is left out now (line {rule.Line} of the ignore file: '{rule.Text}')" : $"{path} is gone";
    }

    /// <summary>A file's value is <c>TARGET MODE UID:GID FINGERPRINT</c>; the target may hold spaces.</summary>
    private static IEnumerable<string> File(string path, string old, string value)
    {
        if (Split(old) is not { } a || Split(value) is not { } b)
        {
            return [$"{path} changed"];
        }

        var (before, now) = (a.Print.Split(XattrsMark)[0], b.Print.Split(XattrsMark)[0]);
        return
        [
            .. a.Print != b.Print && before == now ? [$"the extended attributes of {path} changed"] : (string[])[],
            .. before != now ? [$"{path} changed ({Short(before)} to {Short(now)})"] : (string[])[],
            .. a.Mode != b.Mode ? [$"the mode of {path} changed ({a.Mode} to {b.Mode})"] : (string[])[],
            .. a.Owner != b.Owner ? [$"the owner of {path} changed ({a.Owner} to {b.Owner})"] : (string[])[],
            .. a.Target != b.Target ? [$"{path} goes to {b.Target} ({a.Target} before)"] : (string[])[],
        ];
    }

    private static (string Target, string Mode, string Owner, string Print)? Split(string value)
    {
        foreach (var kind in (ReadOnlySpan<string>)[" sha256:", " symlink ", " directory", " node "])
        {
            var at = value.IndexOf(kind, StringComparison.Ordinal);
            var words = at < 0 ? [] : value[..at].Split(' ');
            if (words.Length >= 3)
            {
                return (string.Join(' ', words[..^2]), words[^2], words[^1], value[(at + 1)..]);
            }
        }

        return null;
    }

    private static bool IsOf(string name, string kind) => name.StartsWith(kind, StringComparison.Ordinal);

    private static string Upper(string name) => IsOf(name, "arg ") || IsOf(name, "env ") ? name[..3].ToUpperInvariant() + name[3..] : name;

    private static string Named(string text) => text.Length == 0 ? "root" : Clip(text);

    private static string Short(string text) => text.StartsWith("sha256:", StringComparison.Ordinal) && text.Length > DigestChars ? text[..DigestChars] : Clip(text);

    private static string Clip(string text) => text.Length <= MaxValueChars ? text : text[..MaxValueChars] + "…";

    private static Dictionary<string, string> Values(IReadOnlyList<CacheKeyPart> parts)
    {
        var values = new Dictionary<string, string>(parts.Count);
        foreach (var part in parts)
        {
            values[part.Name] = values.TryGetValue(part.Name, out var other) ? $"{other} {part.Value}" : part.Value;
        }

        return values;
    }
}
