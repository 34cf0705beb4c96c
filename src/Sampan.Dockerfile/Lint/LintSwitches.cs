namespace Sampan.Dockerfile.Lint;

/// <summary>
/// Which rules hold: <c>skip=RULE,…|all;error=true|false;experimental=RULE,…|all</c>, from the check directive or the build argument
/// <see cref="BuildArgument"/>, which goes before it.
/// </summary>
public sealed record LintSwitches
{
    /// <summary>The build argument that takes the directive's place.</summary>
    public const string BuildArgument = "BUILDKIT_DOCKERFILE_CHECK";

    private static readonly string[] Known = ["skip", "error", "experimental"];

    private IReadOnlyList<string> Skip { get; init; } = [];

    private IReadOnlyList<string> Experimental { get; init; } = [];

    /// <summary>A warning fails the build.</summary>
    public bool IsError { get; private init; }

    public bool Has(LintRule rule) => !Means(Skip, rule) && (!rule.IsExperimental || Means(Experimental, rule));

    /// <summary>Reads the switches of a file.</summary>
    /// <exception cref="DockerfileException">The directive is malformed; names its line.</exception>
    public static LintSwitches Of(DockerfileModel model, IReadOnlyDictionary<string, string?> buildArgs)
    {
        var given = buildArgs.GetValueOrDefault(BuildArgument);
        var directives = model.Document.Directives;
        try
        {
            return Parse(given ?? directives.Check ?? "");
        }
        catch (FormatException e)
        {
            throw given is not null ? new DockerfileException($"build argument {BuildArgument}: {e.Message}", e)
                : model.Source.Error(e.Message, new(directives.CheckLine, directives.CheckLine));
        }
    }

    /// <summary>Reads the switches.</summary>
    /// <exception cref="FormatException">With the part that is wrong.</exception>
    public static LintSwitches Parse(string text)
    {
        var switches = new LintSwitches();
        foreach (var part in text.Split(';').Where(part => part.Trim().Length > 0))
        {
            var equals = part.IndexOf('=');
            var (name, value) = equals < 0 ? (part.Trim(), "") : (part[..equals].Trim(), part[(equals + 1)..].Trim());
            IReadOnlyList<string> names = value.Split(',', StringSplitOptions.TrimEntries);
            switches = (equals < 0 ? "" : name) switch
            {
                "skip" => switches with { Skip = names },
                "experimental" => switches with { Experimental = names },
                "error" => switches with { IsError = Bool(value) ?? throw new FormatException($"check option 'error' must be true or false, not '{value}'") },
                _ => throw new FormatException($"invalid check option '{part.Trim()}'{Suggestion.For(name, Known)}"),
            };
        }

        return switches;
    }

    private static bool? Bool(string value) => value.ToLowerInvariant() switch
    {
        "true" or "t" or "1" => true,
        "false" or "f" or "0" => false,
        _ => null,
    };

    private static bool Means(IReadOnlyList<string> names, LintRule rule) => names.Contains("all") || names.Contains(rule.Name);
}
