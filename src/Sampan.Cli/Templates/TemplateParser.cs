using System.Globalization;

namespace Sampan.Cli.Templates;

/// <summary>Builds the tree of a Go template (https://pkg.go.dev/text/template, the actions of Go 1.23).</summary>
internal sealed class TemplateParser
{
    private const int MaxDepth = 200;
    private readonly string _source;
    private readonly List<Token> _tokens;
    private readonly List<string> _variables = ["$"];
    private int _next;
    private int _rangeDepth;
    private int _depth;

    private TemplateParser(string source)
    {
        _source = source;
        _tokens = Lexer.Run(source);
    }

    /// <summary>What <c>define</c> and <c>block</c> named.</summary>
    public Dictionary<string, List<Node>> Definitions { get; } = [];

    public static (List<Node> Body, Dictionary<string, List<Node>> Definitions) Parse(string source)
    {
        var parser = new TemplateParser(source);
        var (body, end) = parser.Body(top: true);
        return end == "EOF" ? (body, parser.Definitions) : throw parser.Fail($"unexpected {{{{{end}}}}}");
    }

    public static int LineOf(string source, int position) => source.AsSpan(0, Math.Min(position, source.Length)).Count('\n') + 1;

    /// <summary>Reads nodes up to an <c>end</c> or <c>else</c> that is not ours; says which.</summary>
    private (List<Node> Nodes, string End) Body(bool top = false)
    {
        if (++_depth > MaxDepth) throw Fail("template is nested too deeply");
        var nodes = new List<Node>();
        while (true)
        {
            var token = Take();
            if (token.Kind == TokenKind.End)
            {
                if (!top) throw Fail("unexpected EOF");
                _depth--;
                return (nodes, "EOF");
            }

            if (token.Kind == TokenKind.Text)
            {
                nodes.Add(new TextNode(token.Position, token.Value));
                continue;
            }

            SkipSpace();
            var word = Peek();
            if (word.Kind == TokenKind.Word && word.Value is "end" or "else")
            {
                Take();
                SkipSpace();
                _depth--;
                return (nodes, word.Value);
            }

            if (Statement(word) is { } node) nodes.Add(node);
        }
    }

    private Node? Statement(Token word)
    {
        if (word.Kind == TokenKind.Word)
        {
            switch (word.Value)
            {
                case "if" or "with" or "range":
                    Take();
                    return Branch(word);
                case "break" or "continue":
                    Take();
                    SkipSpace();
                    Close(word.Value);
                    if (_rangeDepth == 0) throw Fail($"{{{{{word.Value}}}}} outside {{{{range}}}}");
                    return new JumpNode(word.Position, word.Value == "break");
                case "define" or "block":
                    Take();
                    return Define(word);
                case "template":
                    Take();
                    return Call(word);
                default:
                    break;
            }
        }

        var pipeline = Pipeline("command", "}}");
        Close("command");
        return new ActionNode(word.Position, pipeline);
    }

    private BranchNode Branch(Token keyword)
    {
        var scope = _variables.Count;
        SkipSpace();
        var pipeline = Pipeline(keyword.Value, "}}", allowTwo: keyword.Value == "range");
        Close(keyword.Value);
        if (keyword.Value == "range") _rangeDepth++;
        var (body, end) = Body();
        if (keyword.Value == "range") _rangeDepth--;
        List<Node>? otherwise = null;
        if (end == "else")
        {
            var word = Peek();
            if (word.Kind == TokenKind.Word && word.Value is "if" or "with" && word.Value == keyword.Value)
            {
                // {{else if …}} shares the outer {{end}}.
                Take();
                otherwise = [Branch(word)];
                _variables.RemoveRange(scope, _variables.Count - scope);
                return new BranchNode(keyword.Position, keyword.Value, pipeline, body, otherwise);
            }

            Close("else");
            (otherwise, end) = Body();
            if (end != "end") throw Fail($"expected end; found {{{{{end}}}}}");
        }

        Close("end");
        _variables.RemoveRange(scope, _variables.Count - scope);
        return new BranchNode(keyword.Position, keyword.Value, pipeline, body, otherwise);
    }

    private TemplateNode? Define(Token keyword)
    {
        SkipSpace();
        var name = Take();
        if (name.Kind != TokenKind.String) throw Unexpected(name, keyword.Value + " clause");
        SkipSpace();
        var pipeline = keyword.Value == "block" ? Pipeline("block clause", "}}") : null;
        Close(keyword.Value + " clause");
        var outer = _variables.ToArray();
        _variables.RemoveRange(1, _variables.Count - 1);
        var (body, end) = Body();
        if (end != "end") throw Fail($"unexpected {{{{{end}}}}} in {keyword.Value} clause");
        Close("end");
        _variables.Clear();
        _variables.AddRange(outer);
        Definitions[name.Value] = body;
        return pipeline is null ? null : new TemplateNode(keyword.Position, name.Value, pipeline);
    }

    private TemplateNode Call(Token keyword)
    {
        SkipSpace();
        var name = Take();
        if (name.Kind != TokenKind.String) throw Unexpected(name, "template clause");
        SkipSpace();
        var pipeline = Peek().Kind == TokenKind.Close ? null : Pipeline("template clause", "}}");
        Close("template clause");
        return new TemplateNode(keyword.Position, name.Value, pipeline);
    }

    private Pipeline Pipeline(string context, string end, bool allowTwo = false)
    {
        if (++_depth > MaxDepth) throw Fail("template is nested too deeply");
        var start = Peek().Position;
        var (variables, assignment) = Declaration(context, allowTwo);
        var commands = new List<CommandNode>();
        while (true)
        {
            SkipSpace();
            var token = Peek();
            if (token.Raw == end && token.Kind is TokenKind.Close or TokenKind.Symbol)
            {
                if (commands.Count == 0) throw Fail($"missing value for {context}");
                if (end == ")") Take();
                break;
            }

            commands.Add(Command(context, commands.Count > 0));
            SkipSpace();
            if (Peek() is { Kind: TokenKind.Symbol, Raw: "|" })
            {
                Take();
                SkipSpace();
                if (Peek().Raw == end) throw Fail($"missing value for {context}");
            }
        }

        _depth--;
        // Visible only after the pipeline that declares them.
        if (!assignment) _variables.AddRange(variables);
        return new Pipeline(start, variables, assignment, commands);
    }

    private (List<string> Variables, bool Assignment) Declaration(string context, bool allowTwo)
    {
        var variables = new List<string>();
        var mark = _next;
        while (Peek().Kind == TokenKind.Variable)
        {
            var name = Take();
            SkipSpace();
            var symbol = Peek();
            if (symbol is { Kind: TokenKind.Symbol, Raw: ":=" or "=" })
            {
                Take();
                variables.Add(name.Value);
                if (symbol.Raw == "=" && variables.Find(v => !_variables.Contains(v)) is { } unknown) throw Fail($"undefined variable {Quote(unknown)}");
                return (variables, symbol.Raw == "=");
            }

            if (symbol is { Kind: TokenKind.Symbol, Raw: "," })
            {
                if (!allowTwo || variables.Count > 0) throw Fail($"too many declarations in {context}");
                Take();
                SkipSpace();
                variables.Add(name.Value);
                continue;
            }

            break;
        }

        _next = mark;
        return ([], false);
    }

    private CommandNode Command(string context, bool piped)
    {
        var operands = new List<Operand>();
        var start = Peek().Position;
        while (true)
        {
            SkipSpace();
            var token = Peek();
            if (token.Kind == TokenKind.Close || token is { Kind: TokenKind.Symbol, Raw: "|" or ")" }) break;
            operands.Add(Operand(context));
            if (Peek().Kind is not (TokenKind.Space or TokenKind.Close) && Peek() is not { Kind: TokenKind.Symbol, Raw: "|" or ")" })
            {
                throw Unexpected(Peek(), "operand");
            }
        }

        if (operands.Count == 0) throw Fail("empty command");
        if (piped && operands[0] is ConstantOperand or NilOperand or DotOperand)
        {
            throw Fail($"non executable command in pipeline stage 2");
        }

        return new CommandNode(start, operands);
    }

    private Operand Operand(string context)
    {
        var token = Take();
        switch (token.Kind)
        {
            case TokenKind.Word when token.Value is "true" or "false":
                return new ConstantOperand(token.Position, token.Value == "true", token.Raw);
            case TokenKind.Word when token.Value == "nil":
                return new NilOperand(token.Position);
            case TokenKind.Word:
                return Functions.Exists(token.Value)
                    ? new FunctionOperand(token.Position, token.Value)
                    : throw Fail($"function {Quote(token.Value)} not defined");
            case TokenKind.String:
                return new ConstantOperand(token.Position, token.Value, token.Raw);
            case TokenKind.Character:
                return new ConstantOperand(token.Position, (long)char.ConvertToUtf32(token.Value, 0), token.Raw);
            case TokenKind.Number:
                return new ConstantOperand(token.Position, Number(token.Raw), token.Raw);
            case TokenKind.Field when token.Value.Length == 0:
                return new DotOperand(token.Position);
            case TokenKind.Field:
                return Chain(token.Position, "", null, [token.Value]);
            case TokenKind.Variable:
                return _variables.Contains(token.Value)
                    ? Chain(token.Position, token.Value, null, [])
                    : throw Fail($"undefined variable {Quote(token.Value)}");
            case TokenKind.Symbol when token.Raw == "(":
                SkipSpace();
                return Chain(token.Position, null, Pipeline("parenthesized pipeline", ")"), []);
            default:
                throw Unexpected(token, context);
        }
    }

    private FieldOperand Chain(int position, string? variable, Pipeline? inner, List<string> fields)
    {
        var first = true;
        while (Peek() is { Kind: TokenKind.Field, Value.Length: > 0 } field)
        {
            // Go gives such a chain the place of its first added field; messages show it.
            if (first) position = field.Position;
            first = false;
            fields.Add(Take().Value);
        }

        return new FieldOperand(position, variable, inner, fields);
    }

    private object Number(string text)
    {
        var digits = text.Replace("_", "", StringComparison.Ordinal);
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)) return whole;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && long.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hex)) return hex;
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var real)
            ? real
            : throw Fail($"bad number syntax: {Quote(text)}");
    }

    private void Close(string context)
    {
        SkipSpace();
        var token = Take();
        if (token.Kind != TokenKind.Close) throw Unexpected(token, context);
    }

    private Token Peek() => _tokens[_next];

    private Token Take() => _tokens[_next < _tokens.Count - 1 ? _next++ : _next];

    private void SkipSpace()
    {
        while (Peek().Kind == TokenKind.Space) _next++;
    }

    private static string Quote(string text) => CommandLine.FlagValues.Quote(text);

    private TemplateException Unexpected(Token token, string context)
        => token.Kind == TokenKind.End ? Fail("unexpected EOF") : Fail($"unexpected <{token.Raw}> in {context}");

    private TemplateException Fail(string message)
        => new($"template: :{LineOf(_source, _tokens[Math.Max(_next - 1, 0)].Position)}: {message}", whileParsing: true);
}
