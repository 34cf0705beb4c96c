namespace Sampan.Cli.Templates;

/// <summary>One line of a listing as templates see it: fields without arguments, and methods with.</summary>
/// <param name="typeName">The type that Docker's messages name, e.g. <c>*formatter.ContainerContext</c>.</param>
internal sealed class Row(string typeName)
{
    private readonly SortedDictionary<string, Func<object?>> _fields = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Func<string, object?>> _methods = [];

    public string TypeName { get; } = typeName;

    /// <summary>The fields in order of their names, which is how they are written as JSON.</summary>
    public IEnumerable<KeyValuePair<string, Func<object?>>> Fields => _fields;

    public Row Field(string name, Func<object?> value)
    {
        _fields[name] = value;
        return this;
    }

    public Row Method(string name, Func<string, object?> value)
    {
        _methods[name] = value;
        return this;
    }

    public bool TryGet(string name, object?[] arguments, out object? value)
    {
        value = null;
        if (arguments.Length == 0 && _fields.TryGetValue(name, out var field))
        {
            value = field();
            return true;
        }

        if (arguments is [string argument] && _methods.TryGetValue(name, out var method))
        {
            value = method(argument);
            return true;
        }

        return _methods.ContainsKey(name) || _fields.ContainsKey(name)
            ? throw new EvaluationException($"wrong number of args for {name}: want {(_methods.ContainsKey(name) ? 1 : 0)} got {arguments.Length}")
            : false;
    }
}

/// <summary>The headings of a table: the same template run over this gives the first line.</summary>
internal sealed class HeaderRow(IReadOnlyDictionary<string, string> headings)
{
    public string? Get(string name) => headings.GetValueOrDefault(name);
}
