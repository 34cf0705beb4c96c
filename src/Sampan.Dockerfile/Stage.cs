using Sampan.Dockerfile.Instructions;
using Sampan.Dockerfile.Parsing;

namespace Sampan.Dockerfile;

/// <summary>A FROM and what follows it up to the next.</summary>
/// <param name="Index">Its number, from 0.</param>
public sealed record Stage(int Index, FromInstruction From, IReadOnlyList<Instruction> Instructions)
{
    /// <summary>Its name (in lower case), or null.</summary>
    public string? Name => From.StageName;

    /// <summary>True when a reference such as <c>--from=…</c> or <c>--target</c> means this stage.</summary>
    public bool IsCalled(string reference) =>
        (Name is not null && Name.Equals(reference, StringComparison.OrdinalIgnoreCase))
        || reference == Index.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>A Dockerfile understood: global arguments and stages.</summary>
public sealed record DockerfileModel(DockerfileDocument Document, IReadOnlyList<ArgInstruction> GlobalArgs, IReadOnlyList<Stage> Stages)
{
    public DockerfileSource Source => Document.Source;

    /// <summary>Parses bytes down to stages.</summary>
    /// <exception cref="DockerfileException">With line and excerpt.</exception>
    public static DockerfileModel Parse(ReadOnlySpan<byte> bytes, string fileName = "Dockerfile", DockerfileLimits? limits = null) =>
        Create(DockerfileParser.Parse(bytes, fileName, limits));

    /// <summary>Groups a syntax tree's instructions into stages.</summary>
    /// <inheritdoc cref="Parse"/>
    public static DockerfileModel Create(DockerfileDocument document)
    {
        RequireOwnFrontend(document);
        List<ArgInstruction> globals = [];
        List<Stage> stages = [];
        List<Instruction> current = [];
        foreach (var node in document.Nodes)
        {
            var instruction = InstructionParser.Parse(node, document.Source);
            switch (instruction)
            {
                case FromInstruction when stages.Count == DockerfileLimits.Default.MaxStages:
                    throw document.Source.Error($"more than {DockerfileLimits.Default.MaxStages:N0} stages", node.Lines);
                case FromInstruction from:
                    current = [];
                    stages.Add(new(stages.Count, from, current));
                    break;
                case ArgInstruction arg when stages.Count == 0:
                    globals.Add(arg);
                    break;
                default:
                    if (stages.Count == 0)
                    {
                        throw document.Source.Error($"no build stage in current context: FROM must come before {instruction.Keyword}", node.Lines);
                    }

                    current.Add(instruction);
                    break;
            }
        }

        return stages.Count > 0 ? new(document, globals, stages)
            : throw document.Source.Error("dockerfile contains no stages to build", document.Nodes[^1].Lines);
    }

    /// <summary>The stage that a name or number means; of several with one name the last.</summary>
    public Stage? Find(string reference) => Stages.LastOrDefault(stage => stage.IsCalled(reference));

    private static void RequireOwnFrontend(DockerfileDocument document)
    {
        if (document.Directives is not { Syntax: { } syntax, SyntaxLine: var line })
        {
            return;
        }

        // docker/dockerfile and docker/dockerfile-upstream, with any tag, digest and registry prefix of Docker's, are this parser.
        var image = syntax.Split(' ', 2)[0].Split('@')[0];
        foreach (var prefix in (string[])["docker.io/", "index.docker.io/"])
        {
            image = image.StartsWith(prefix, StringComparison.Ordinal) ? image[prefix.Length..] : image;
        }

        if (image.Split(':')[0] is not ("docker/dockerfile" or "docker/dockerfile-upstream"))
        {
            throw document.Source.Error($"unsupported frontend '{syntax}': only docker/dockerfile is built in", new(line, line));
        }
    }
}
