using Sampan.Dockerfile;
using Sampan.Dockerfile.Expansion;
using Sampan.Dockerfile.Instructions;
using Sampan.Oci;

namespace Sampan.Build.Planning;

/// <summary>Who sees which build argument.</summary>
public static class Scope
{
    /// <summary>Arguments that RUN sees without an ARG; they are no part of a cache key and not in the history.</summary>
    public static IReadOnlyList<string> ProxyNames { get; } =
    [
        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy",
    ];

    /// <summary>Arguments that steer the builder and need no ARG.</summary>
    private static readonly string[] BuiltIn =
    [
        "SOURCE_DATE_EPOCH", "BUILDKIT_INLINE_CACHE", "BUILDKIT_MULTI_PLATFORM", "BUILDKIT_SANDBOX_HOSTNAME", "BUILDKIT_SYNTAX",
        "BUILDKIT_CONTEXT_KEEP_GIT_DIR", "BUILDKIT_CACHE_MOUNT_NS", "BUILDKIT_BUILD_NAME", "BUILDKIT_GIT_ADVICE",
        Dockerfile.Lint.LintSwitches.BuildArgument,
    ];

    /// <summary>What is known before the first FROM: FROM lines see all of it, a stage only what it declares by ARG.</summary>
    public sealed record GlobalScope(IReadOnlyDictionary<string, string?> BuildArgs, IReadOnlyDictionary<string, string> Values)
    {
        /// <summary>The value that <c>ARG name</c> gets in a stage when the Dockerfile gives it no default there.</summary>
        public string? Inherited(string name) => BuildArgs.GetValueOrDefault(name) ?? Values.GetValueOrDefault(name);
    }

    /// <summary>Evaluates the ARGs before the first FROM.</summary>
    /// <exception cref="DockerfileException">A default cannot be expanded.</exception>
    public static GlobalScope Globals(DockerfileModel model, IReadOnlyDictionary<string, string?> buildArgs, Platform target, Platform build, string? stage = null)
    {
        var values = PlatformArgs("TARGET", target).Concat(PlatformArgs("BUILD", build)).ToDictionary(p => p.Name, p => p.Value);
        values["TARGETSTAGE"] = stage ?? "default";
        foreach (var instruction in model.GlobalArgs)
        {
            foreach (var arg in instruction.Args)
            {
                var value = buildArgs.GetValueOrDefault(arg.Name)
                    ?? (arg.Value is null ? null : Expand(model, instruction, arg.Value, name => values.GetValueOrDefault(name)));
                if (value is not null)
                {
                    values[arg.Name] = value;
                }
            }
        }

        return new(buildArgs, values);
    }

    /// <summary>Expands one word of an instruction.</summary>
    /// <exception cref="DockerfileException">With file, line and excerpt.</exception>
    public static string Expand(DockerfileModel model, Instruction instruction, string word, Func<string, string?> lookup) =>
        Guard(model, instruction, word, () => new WordExpander(model.Document.Directives.Escape).Expand(word, lookup));

    /// <summary>Expands and cuts into words.</summary>
    /// <inheritdoc cref="Expand"/>
    public static IReadOnlyList<string> ExpandToWords(DockerfileModel model, Instruction instruction, string word, Func<string, string?> lookup) =>
        Guard(model, instruction, word, () => new WordExpander(model.Document.Directives.Escape).ExpandToWords(word, lookup));

    /// <summary>Expands the variables in a heredoc, where quotes are text.</summary>
    /// <inheritdoc cref="Expand"/>
    public static string ExpandText(DockerfileModel model, Instruction instruction, string text, Func<string, string?> lookup) =>
        Guard(model, instruction, "heredoc", () => new WordExpander(model.Document.Directives.Escape) { IgnoreQuotes = true }.Expand(text, lookup));

    /// <summary>Build arguments that nothing declares.</summary>
    /// <param name="triggers">Names that triggers of base images declare.</param>
    public static IReadOnlyList<string> Unused(DockerfileModel model, IReadOnlyDictionary<string, string?> buildArgs, IEnumerable<string> triggers)
    {
        var declared = model.GlobalArgs.Concat(model.Stages.SelectMany(s => s.Instructions)
                .Select(i => i is OnbuildInstruction onbuild ? onbuild.Trigger : i).OfType<ArgInstruction>())
            .SelectMany(a => a.Args).Select(a => a.Name).Concat(triggers).ToHashSet();
        return [.. buildArgs.Keys.Where(name => !declared.Contains(name) && !ProxyNames.Contains(name) && !BuiltIn.Contains(name))
            .Order(StringComparer.Ordinal)];
    }

    private static T Guard<T>(DockerfileModel model, Instruction instruction, string word, Func<T> expand)
    {
        try
        {
            return expand();
        }
        catch (ExpansionException e)
        {
            throw new DockerfileException($"failed to process '{word}': {e.Message}", e)
            {
                FileName = model.Source.FileName,
                Lines = instruction.Node.Lines,
                Excerpt = model.Source.Excerpt(instruction.Node.Lines),
            };
        }
    }

    private static IEnumerable<(string Name, string Value)> PlatformArgs(string prefix, Platform platform) =>
    [
        ($"{prefix}PLATFORM", platform.ToString()), ($"{prefix}OS", platform.Os), ($"{prefix}ARCH", platform.Architecture),
        ($"{prefix}VARIANT", platform.Variant ?? ""),
    ];
}
