using System.Text;

namespace Sampan.Dockerfile.Ignore;

/// <summary>
/// The rules of a <c>.dockerignore</c> file: the last rule that matches a path or one of its parents decides. Paths are relative to the
/// context, without a leading slash.
/// </summary>
public sealed class IgnoreMatcher
{
    private const int MaxRules = 100_000;
    private readonly IReadOnlyList<IgnoreRule> _rules;

    private IgnoreMatcher(IReadOnlyList<IgnoreRule> rules)
    {
        _rules = rules;
    }

    /// <summary>Ignores nothing.</summary>
    public static IgnoreMatcher None { get; } = new([]);

    public IReadOnlyList<IgnoreRule> Rules => _rules;

    /// <summary>Reads an ignore file.</summary>
    /// <param name="alwaysSent">Paths that stay in whatever the rules say, e.g. the Dockerfile and the ignore file themselves.</param>
    /// <exception cref="DockerfileException">A pattern is malformed; names file and line.</exception>
    public static IgnoreMatcher Parse(string text, string fileName = ".dockerignore", params IEnumerable<string> alwaysSent)
    {
        List<IgnoreRule> rules = [];
        var number = 0;
        foreach (var line in text.TrimStart('\uFEFF').Split('\n'))
        {
            number++;
            if (ParseRule(line, fileName, number) is { } rule)
            {
                rules.Add(rule);
            }

            if (rules.Count > MaxRules)
            {
                throw Error($"more than {MaxRules:N0} patterns", fileName, number);
            }
        }

        rules.AddRange(alwaysSent.Select(path => new IgnoreRule(PathPattern.ParseIgnore(Escape(path)), true, "!" + path, 0)));
        return new(rules);
    }

    /// <summary>What the rules say about one path. Walks through its parents; a tree walk is cheaper with <see cref="Enter"/>.</summary>
    public IgnoreVerdict Check(string path)
    {
        if (_rules.Count == 0)
        {
            return default;
        }

        var state = IgnoreState.Root;
        for (var slash = path.IndexOf('/'); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            state = Enter(path[..slash], state);
        }

        return Enter(path, state).Verdict;
    }

    /// <summary>Evaluates a path given what its parent matched.</summary>
    public IgnoreState Enter(string path, IgnoreState parent)
    {
        var matched = new bool[_rules.Count];
        IgnoreRule? decisive = null;
        for (var i = 0; i < _rules.Count; i++)
        {
            matched[i] = (parent.Matched is { } above && above[i]) || _rules[i].Pattern.IsMatch(path);
            if (matched[i])
            {
                decisive = _rules[i];
            }
        }

        return new(matched, new(decisive is { IsException: false }, decisive));
    }

    /// <summary>True when an excluded directory need not be walked, as no exception can bring anything below it back.</summary>
    public bool CanSkip(string directory) => !_rules.Any(rule => rule.IsException && rule.Pattern.MayMatchBelow(directory));

    private static IgnoreRule? ParseRule(string line, string fileName, int number)
    {
        if (line.StartsWith('#'))
        {
            return null;
        }

        var text = line.Trim();
        var isException = text.StartsWith('!');
        var pattern = isException ? text[1..].Trim() : text;
        if (pattern.Length == 0)
        {
            return isException ? throw Error("illegal exclusion pattern '!'", fileName, number) : null;
        }

        try
        {
            // A leading slash means the context's root, where every pattern is anchored anyway.
            var clean = Clean(pattern);
            return new(PathPattern.ParseIgnore(clean.Length > 1 && clean[0] == '/' ? clean[1..] : clean), isException, text, number);
        }
        catch (FormatException e)
        {
            throw Error(e.Message, fileName, number);
        }
    }

    /// <summary>Takes out <c>.</c>, <c>..</c> and doubled or trailing slashes by the text alone.</summary>
    internal static string Clean(string path)
    {
        var rooted = path.StartsWith('/');
        List<string> names = [];
        foreach (var name in path.Split('/'))
        {
            if (name == ".." && (names.Count > 0 ? names[^1] != ".." : rooted))
            {
                if (names.Count > 0)
                {
                    names.RemoveAt(names.Count - 1);
                }
            }
            else if (name is not ("" or "."))
            {
                names.Add(name);
            }
        }

        var joined = (rooted ? "/" : "") + string.Join('/', names);
        return joined.Length == 0 ? "." : joined;
    }

    private static string Escape(string path)
    {
        var result = new StringBuilder();
        foreach (var c in Clean(path).TrimStart('/'))
        {
            result.Append(c is '*' or '?' or '[' or '\\' ? "\\" : "").Append(c);
        }

        return result.ToString();
    }

    private static DockerfileException Error(string message, string fileName, int line) =>
        new(message) { FileName = fileName, Lines = new(line, line) };
}

/// <summary>One line of an ignore file.</summary>
/// <param name="Pattern">The cleaned pattern.</param>
/// <param name="IsException">It began with <c>!</c>.</param>
/// <param name="Text">As written.</param>
/// <param name="Line">Its line, 0 for a rule that stands in no file.</param>
public sealed record IgnoreRule(PathPattern Pattern, bool IsException, string Text, int Line);

/// <summary>Whether a path is left out, and the rule that decided; null when none matched.</summary>
public readonly record struct IgnoreVerdict(bool IsIgnored, IgnoreRule? Rule);

/// <summary>What a directory matched, which its children inherit.</summary>
public sealed record IgnoreState(IReadOnlyList<bool>? Matched, IgnoreVerdict Verdict)
{
    /// <summary>The context's root: nothing matched yet.</summary>
    public static IgnoreState Root { get; } = new(null, default);
}
