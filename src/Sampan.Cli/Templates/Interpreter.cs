using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Templates;

/// <summary>Carries out a template's tree over one value.</summary>
internal sealed class Interpreter(string source, Dictionary<string, List<Node>> definitions, StringBuilder output)
{
    private const int MaxCalls = 100;
    private const int ShownLength = 20;
    private readonly List<(string Name, object? Value)> _variables = [];
    private int _calls;

    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    public void Run(List<Node> body, object? dot)
    {
        _variables.Add(("$", dot));
        Walk(body, dot);
    }

    /// <summary>Whether a value counts as true: not false, zero, empty or nil.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or NilCollection or HeaderRow => value is HeaderRow,
        bool b => b,
        string s => s.Length > 0,
        long n => n != 0,
        double d => d != 0,
        JsonObject o => !JsonShape.IsMap(o) || o.Count > 0,
        JsonArray a => a.Count > 0,
        object?[] a => a.Length > 0,
        _ => true,
    };

    /// <summary>What <c>range</c> walks over: index or key, and element; maps in order of their keys.</summary>
    public static IEnumerable<(object? Key, object? Value)> Items(object? value)
    {
        switch (value)
        {
            case null or NilCollection:
                break;
            case JsonObject o:
                var keys = new List<string>();
                foreach (var (key, _) in o) keys.Add(key);
                keys.Sort(StringComparer.Ordinal);
                foreach (var key in keys) yield return (key, JsonShape.Unwrap(o[key]));
                break;
            case JsonArray a:
                for (var i = 0; i < a.Count; i++) yield return ((long)i, JsonShape.Unwrap(a[i]));
                break;
            case object?[] a:
                for (var i = 0; i < a.Length; i++) yield return ((long)i, a[i]);
                break;
            case long n:
                for (var i = 0L; i < n; i++) yield return (i, i);
                break;
            default:
                throw new EvaluationException($"range can't iterate over {GoFormat.Print(value)}");
        }
    }

    private Flow Walk(List<Node> body, object? dot)
    {
        foreach (var node in body)
        {
            var flow = Walk(node, dot);
            if (flow != Flow.Next) return flow;
        }

        return Flow.Next;
    }

    private Flow Walk(Node node, object? dot)
    {
        switch (node)
        {
            case TextNode text:
                output.Append(text.Text);
                return Flow.Next;
            case ActionNode action:
                var value = Evaluate(action.Pipeline, dot);
                if (action.Pipeline.Variables.Count == 0) output.Append(value is NoValue ? "<no value>" : GoFormat.Print(value));
                return Flow.Next;
            case BranchNode branch:
                var mark = _variables.Count;
                var flow = branch.Keyword == "range" ? Range(branch, dot) : Branch(branch, dot);
                _variables.RemoveRange(mark, _variables.Count - mark);
                return flow;
            case JumpNode jump:
                return jump.IsBreak ? Flow.Break : Flow.Continue;
            case TemplateNode call:
                Call(call, dot);
                return Flow.Next;
            default:
                throw new InvalidOperationException($"unknown node {node.GetType().Name}");
        }
    }

    private Flow Branch(BranchNode branch, object? dot)
    {
        var value = Evaluate(branch.Pipeline, dot);
        if (value is not NoValue && IsTrue(value)) return Walk(branch.Body, branch.Keyword == "with" ? value : dot);
        return branch.Else is { } otherwise ? Walk(otherwise, dot) : Flow.Next;
    }

    private Flow Range(BranchNode branch, object? dot)
    {
        var names = branch.Pipeline.Variables;
        var value = Evaluate(branch.Pipeline with { Variables = [] }, dot);
        var mark = _variables.Count;
        var any = false;
        try
        {
            foreach (var (key, item) in value is NoValue ? [] : Items(value))
            {
                any = true;
                if (branch.Pipeline.IsAssignment) AssignRange(names, key, item);
                else if (names.Count == 1) _variables.Add((names[0], item));
                else if (names.Count == 2) _variables.AddRange([(names[0], key), (names[1], item)]);
                var flow = Walk(branch.Body, item);
                _variables.RemoveRange(mark, _variables.Count - mark);
                if (flow == Flow.Break) break;
            }
        }
        catch (EvaluationException e)
        {
            throw Fail(branch.Position, branch.Pipeline.ToString(), e.Message);
        }

        return any || branch.Else is null ? Flow.Next : Walk(branch.Else, dot);
    }

    private void AssignRange(List<string> names, object? key, object? item)
    {
        if (names.Count == 2) Assign(names[0], key);
        Assign(names[^1], item);
    }

    private void Call(TemplateNode call, object? dot)
    {
        if (!definitions.TryGetValue(call.Name, out var body))
        {
            throw Fail(call.Position, $"{{{{template \"{call.Name}\"}}}}", $"template \"{call.Name}\" not defined");
        }

        if (++_calls > MaxCalls) throw Fail(call.Position, call.Name, $"exceeded maximum template depth ({MaxCalls})");
        var value = call.Pipeline is null ? null : Evaluate(call.Pipeline, dot);
        var outer = _variables.ToArray();
        _variables.Clear();
        _variables.Add(("$", value));
        Walk(body, value);
        _variables.Clear();
        _variables.AddRange(outer);
        _calls--;
    }

    private object? Evaluate(Pipeline pipeline, object? dot)
    {
        object? value = null;
        for (var i = 0; i < pipeline.Commands.Count; i++)
        {
            value = Evaluate(pipeline.Commands[i], dot, i > 0, value);
        }

        foreach (var name in pipeline.Variables)
        {
            if (pipeline.IsAssignment) Assign(name, value);
            else _variables.Add((name, value));
        }

        return value;
    }

    private object? Evaluate(CommandNode command, object? dot, bool piped, object? final)
    {
        var first = command.Operands[0];
        if (first is FunctionOperand function) return CallFunction(function, command, dot, piped, final);
        if (first is FieldOperand { Fields.Count: > 0 } field)
        {
            var arguments = Arguments(command, dot, piped, final);
            return Field(field, dot, arguments);
        }

        if (command.Operands.Count > 1 || piped)
        {
            throw Fail(first.Position, first.ToString()!, $"can't give argument to non-function {first}");
        }

        return first is NilOperand ? throw Fail(first.Position, "nil", "nil is not a command") : Value(first, dot);
    }

    private object?[] Arguments(CommandNode command, object? dot, bool piped, object? final)
    {
        var arguments = new List<object?>();
        for (var i = 1; i < command.Operands.Count; i++) arguments.Add(Known(Value(command.Operands[i], dot)));
        if (piped) arguments.Add(Known(final));
        return [.. arguments];
    }

    private object? CallFunction(FunctionOperand function, CommandNode command, object? dot, bool piped, object? final)
    {
        try
        {
            if (function.Name is not ("and" or "or")) return Functions.Call(function.Name, Arguments(command, dot, piped, final));

            // Go stops at the operand that decides, so that later ones may be wrong.
            object? value = null;
            for (var i = 1; i < command.Operands.Count; i++)
            {
                value = Value(command.Operands[i], dot);
                if (IsTrue(Known(value)) == (function.Name == "or")) return value;
            }

            return piped ? final : command.Operands.Count > 1 ? value : throw new EvaluationException($"wrong number of args for {function.Name}: want at least 1 got 0");
        }
        catch (EvaluationException e)
        {
            var text = e.Message.StartsWith("wrong number of args", StringComparison.Ordinal) ? e.Message : $"error calling {function.Name}: {e.Message}";
            throw Fail(function.Position, function.Name is "and" or "or" ? function.Name : command.ToString(), text);
        }
    }

    private object? Value(Operand operand, object? dot) => operand switch
    {
        DotOperand => dot,
        NilOperand => null,
        ConstantOperand constant => constant.Value,
        FieldOperand field => Field(field, dot, []),
        FunctionOperand function => CallFunction(function, new CommandNode(function.Position, [function]), dot, piped: false, final: null),
        _ => throw new InvalidOperationException($"unknown operand {operand.GetType().Name}"),
    };

    private object? Field(FieldOperand operand, object? dot, object?[] arguments)
    {
        var value = operand.Inner is { } inner ? Evaluate(inner, dot) : operand.Variable is { Length: > 0 } name ? Variable(name) : dot;
        for (var i = 0; i < operand.Fields.Count; i++)
        {
            try
            {
                if (value is null && i > 0) throw new EvaluationException($"map has no entry for key {CommandLine.FlagValues.Quote(operand.Fields[i - 1])}");
                value = Member(value, operand.Fields[i], i == operand.Fields.Count - 1 ? arguments : []);
            }
            catch (EvaluationException e)
            {
                throw Fail(operand.Position, operand.ToString(), e.Message);
            }
        }

        return value;
    }

    private static object? Member(object? value, string name, object?[] arguments)
    {
        switch (value)
        {
            case Row row:
                return row.TryGet(name, arguments, out var field)
                    ? field
                    : throw new EvaluationException($"can't evaluate field {name} in type {row.TypeName}");
            case HeaderRow header:
                return header.Get(name) ?? (object)NoValue.Instance;
            case JsonObject o:
                if (arguments.Length > 0) throw new EvaluationException($"{name} has arguments but cannot be invoked as function");
                if (JsonShape.IsMap(o)) return o.TryGetPropertyValue(name, out var child) ? JsonShape.Unwrap(child) : NoValue.Instance;
                return JsonShape.TryField(o, name, out var member) ? member : throw new EvaluationException($"map has no entry for key {CommandLine.FlagValues.Quote(name)}");
            case null:
                throw new EvaluationException($"nil pointer evaluating interface {{}}.{name}");
            case NilCollection or NoValue:
                return NoValue.Instance;
            default:
                throw new EvaluationException($"can't evaluate field {name} in type {GoFormat.TypeOf(value)}");
        }
    }

    private object? Variable(string name)
    {
        for (var i = _variables.Count - 1; i >= 0; i--)
        {
            if (_variables[i].Name == name) return _variables[i].Value;
        }

        throw new EvaluationException($"undefined variable: {name}");
    }

    private void Assign(string name, object? value)
    {
        for (var i = _variables.Count - 1; i >= 0; i--)
        {
            if (_variables[i].Name != name) continue;
            _variables[i] = (name, value);
            return;
        }
    }

    /// <summary>An absent map entry is an untyped nil where a function gets it.</summary>
    private static object? Known(object? value) => value is NoValue ? null : value;

    private TemplateException Fail(int position, string shown, string message)
    {
        var line = TemplateParser.LineOf(source, position);
        var column = position - (source.AsSpan(0, position).LastIndexOf('\n') + 1);
        var context = shown.Length > ShownLength ? shown[..ShownLength] + "..." : shown;
        return new(string.Create(CultureInfo.InvariantCulture, $"template: :{line}:{column}: executing \"\" at <{context}>: {message}"), whileParsing: false);
    }

    /// <summary>The entry that a map does not have.</summary>
    private sealed class NoValue
    {
        public static readonly NoValue Instance = new();
    }
}
