namespace Sampan.Cli.Templates;

/// <summary>A part of a template's body.</summary>
internal abstract record Node(int Position);

internal sealed record TextNode(int Position, string Text) : Node(Position);

internal sealed record ActionNode(int Position, Pipeline Pipeline) : Node(Position);

/// <summary>if, with or range.</summary>
internal sealed record BranchNode(int Position, string Keyword, Pipeline Pipeline, List<Node> Body, List<Node>? Else) : Node(Position);

internal sealed record JumpNode(int Position, bool IsBreak) : Node(Position);

internal sealed record TemplateNode(int Position, string Name, Pipeline? Pipeline) : Node(Position);

/// <summary>Commands joined by <c>|</c>, whose result may be declared or assigned to variables.</summary>
internal sealed record Pipeline(int Position, List<string> Variables, bool IsAssignment, List<CommandNode> Commands)
{
    public override string ToString()
    {
        var commands = string.Join(" | ", Commands);
        return Variables.Count == 0 ? commands : $"{string.Join(", ", Variables)} {(IsAssignment ? "=" : ":=")} {commands}";
    }
}

/// <summary>An operand alone, or a function or method with its arguments.</summary>
internal sealed record CommandNode(int Position, List<Operand> Operands)
{
    public override string ToString() => string.Join(' ', Operands);
}

internal abstract record Operand(int Position);

internal sealed record DotOperand(int Position) : Operand(Position)
{
    public override string ToString() => ".";
}

internal sealed record NilOperand(int Position) : Operand(Position)
{
    public override string ToString() => "nil";
}

/// <summary>A literal; <paramref name="Text"/> is how it was written.</summary>
internal sealed record ConstantOperand(int Position, object Value, string Text) : Operand(Position)
{
    public override string ToString() => Text;
}

/// <summary>A function's name.</summary>
internal sealed record FunctionOperand(int Position, string Name) : Operand(Position)
{
    public override string ToString() => Name;
}

/// <summary>Fields below the cursor, a variable, or a pipeline in parentheses.</summary>
internal sealed record FieldOperand(int Position, string? Variable, Pipeline? Inner, List<string> Fields) : Operand(Position)
{
    public override string ToString()
    {
        var fields = Fields.Count == 0 ? "" : "." + string.Join('.', Fields);
        return Inner is not null ? $"({Inner}){fields}" : Variable + fields;
    }
}
