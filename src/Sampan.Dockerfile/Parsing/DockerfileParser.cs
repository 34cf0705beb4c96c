using Sampan.Dockerfile.Lint;

namespace Sampan.Dockerfile.Parsing;

/// <summary>Dockerfile text to a syntax tree. Knows the forms of arguments, not what instructions mean.</summary>
public sealed class DockerfileParser
{
    private readonly DockerfileSource _source;
    private readonly DockerfileLimits _limits;
    private readonly Directives _directives;
    private readonly LogicalLineReader _reader;

    private DockerfileParser(DockerfileSource source, DockerfileLimits limits)
    {
        _source = source;
        _limits = limits;
        _directives = Directives.Read(source);
        _reader = new(source, _directives.Escape, limits);
    }

    /// <summary>Parses a file's bytes.</summary>
    /// <exception cref="DockerfileException">With line and excerpt.</exception>
    public static DockerfileDocument Parse(ReadOnlySpan<byte> bytes, string fileName = "Dockerfile", DockerfileLimits? limits = null)
    {
        limits ??= DockerfileLimits.Default;
        return new DockerfileParser(DockerfileSource.Parse(bytes, fileName, limits), limits).Parse();
    }

    /// <summary>Parses text.</summary>
    /// <exception cref="DockerfileException">With line and excerpt.</exception>
    public static DockerfileDocument Parse(string text, string fileName = "Dockerfile") =>
        new DockerfileParser(DockerfileSource.Parse(text, fileName), DockerfileLimits.Default).Parse();

    /// <summary>Parses one instruction that stands in no file, such as an image's ONBUILD trigger or a <c>--change</c>.</summary>
    public static Node ParseInstruction(string text, string origin)
    {
        var nodes = Parse(text, origin).Nodes;
        return nodes.Count == 1 ? nodes[0] : throw new DockerfileException($"'{text}' is not one instruction") { FileName = origin };
    }

    private DockerfileDocument Parse()
    {
        List<Node> nodes = [];
        List<DockerfileWarning> warnings = [];
        while (_reader.Read() is var (text, start))
        {
            if (nodes.Count == _limits.MaxInstructions)
            {
                throw _source.Error($"more than {_limits.MaxInstructions:N0} instructions", new(start, start));
            }

            var empty = _reader.HadEmptyContinuation;
            var node = ParseLine(text, start);
            nodes.Add(node);
            if (empty)
            {
                warnings.Add(new(LintRule.NoEmptyContinuation.Name, "Empty continuation line", node.Lines));
            }
        }

        return nodes.Count > 0 ? new(_source, _directives, nodes, warnings)
            : throw new DockerfileException(_source.Lines.All(string.IsNullOrWhiteSpace)
                ? $"the Dockerfile ({_source.FileName}) cannot be empty"
                : $"the Dockerfile ({_source.FileName}) has no instructions")
            { FileName = _source.FileName };
    }

    private Node ParseLine(string text, int start)
    {
        Node node;
        try
        {
            node = ParseText(text, new(start, _reader.LineNumber), _directives.Escape);
            var innermost = node.Trigger ?? node;
            if (innermost is { Keyword: "run" or "copy" or "add", IsJson: false } && text.Contains("<<", StringComparison.Ordinal))
            {
                node = WithHeredocs(node, HeredocOpener.Find(innermost.Original, _directives.Escape), start);
            }
        }
        catch (FormatException e)
        {
            throw _source.Error(e.Message, new(start, _reader.LineNumber));
        }

        return node;
    }

    private Node WithHeredocs(Node node, IReadOnlyList<Heredoc> openers, int start)
    {
        IReadOnlyList<Heredoc> heredocs =
            [.. openers.Select(h => h with { RawContent = _reader.ReadHeredoc(h.Name, h.Chomp, start) })];
        var lines = new LineRange(start, _reader.LineNumber);
        return node.Trigger is { } trigger
            ? node with { Lines = lines, Heredocs = heredocs, Trigger = trigger with { Lines = lines, Heredocs = heredocs } }
            : node with { Lines = lines, Heredocs = heredocs };
    }

    private static Node ParseText(string text, LineRange lines, char escape)
    {
        var (name, rest) = ArgumentLexer.SplitFirst(text);
        var (flags, arguments) = ArgumentLexer.TakeFlags(rest);
        var node = new Node(name.ToLowerInvariant(), text.Trim(), lines) { Name = name, Flags = flags };
        switch (node.Keyword)
        {
            case "run" or "cmd" or "entrypoint" or "shell":
                return WithJsonOr(node, arguments, t => t.Length == 0 ? [] : [t]);
            case "add" or "copy" or "volume":
                return WithJsonOr(node, arguments, ArgumentLexer.Fields);
            case "env" or "label":
                return node with { Arguments = ArgumentLexer.Pairs(arguments, node.Keyword, escape) };
            case "arg":
                return node with { Arguments = ArgumentLexer.QuotedWords(arguments, escape) };
            case "from" or "expose":
                return node with { Arguments = ArgumentLexer.Fields(arguments) };
            case "healthcheck":
                var (kind, command) = ArgumentLexer.SplitFirst(arguments);
                var check = WithJsonOr(node, command, t => t.Length == 0 ? [] : [t]);
                return kind.Length == 0 ? node : check with { Arguments = [kind, .. check.Arguments] };
            case "onbuild":
                return arguments.Length == 0 ? node : node with { Trigger = ParseTrigger(arguments, lines, escape) };
            default: // maintainer, user, workdir, stopsignal, and what is unknown
                return node with { Arguments = arguments.Length == 0 ? [] : [arguments] };
        }
    }

    private static Node ParseTrigger(string text, LineRange lines, char escape) =>
        ArgumentLexer.SplitFirst(text).Head.Equals("onbuild", StringComparison.OrdinalIgnoreCase)
            ? throw new FormatException("chaining ONBUILD via 'ONBUILD ONBUILD' isn't allowed")
            : ParseText(text, lines, escape);

    private static Node WithJsonOr(Node node, string text, Func<string, IReadOnlyList<string>> otherwise) =>
        JsonArguments.TryParse(text) is { } strings
            ? node with { Arguments = strings, IsJson = true }
            : node with { Arguments = otherwise(text) };
}
