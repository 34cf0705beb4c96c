using Sampan.Dockerfile.Ignore;

namespace Sampan.Build.Files;

/// <summary>Finds what a pattern with wildcards names, one level of directories at a time.</summary>
internal static class Glob
{
    private const int MaxMatches = 1_000_000;

    /// <summary>Paths relative to the view's root, in byte order.</summary>
    /// <param name="anyDepth"><c>**</c> stands for any number of directories, also none (<c>COPY --parents</c>); else it is like <c>*</c>.</param>
    /// <exception cref="FormatException">The pattern is malformed.</exception>
    public static IReadOnlyList<string> Expand(MergedView view, string pattern, bool anyDepth = false)
    {
        List<string> found = [""];
        foreach (var name in pattern.Split('/'))
        {
            if (anyDepth && name == "**")
            {
                found = [.. found.SelectMany(directory => Directories(view, directory)).Distinct().Order(StringComparer.Ordinal)];
                continue;
            }

            List<string> next = [];
            var match = PathPattern.ParseSource(name);
            var plain = name.Replace("\\", "");
            var isPattern = PathPattern.HasWildcards(name);
            foreach (var directory in found)
            {
                var prefix = directory.Length == 0 ? "" : directory + "/";
                if (view.Resolve(directory).Node is not { Stat.IsDirectory: true } node)
                {
                    continue; // a file has nothing below it
                }

                if (!isPattern)
                {
                    next.AddRange(view.Resolve(prefix + plain, followLast: false).Node is null ? [] : [prefix + plain]);
                }
                else
                {
                    next.AddRange(MergedView.List(node).Select(child => child.Path[(child.Path.LastIndexOf('/') + 1)..])
                        .Where(match.IsMatch).Select(child => prefix + child));
                }

                if (next.Count > MaxMatches)
                {
                    throw new FormatException($"pattern '{pattern}' matches more than {MaxMatches:N0} files");
                }
            }

            found = next;
        }

        return found;
    }

    /// <summary>A directory and all below it; symlinks are not followed.</summary>
    private static List<string> Directories(MergedView view, string top)
    {
        List<string> all = [top];
        for (var i = 0; i < all.Count && all.Count <= MaxMatches; i++)
        {
            if (view.Resolve(all[i]).Node is { Stat.IsDirectory: true } node)
            {
                all.AddRange(MergedView.List(node).Where(child => child.Stat.IsDirectory).Select(child => child.Path[1..]));
            }
        }

        return all;
    }
}
