using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Templates;

/// <summary>The functions a template can call: Go's own and Docker's.</summary>
internal static class Functions
{
    private static readonly string[] Names =
    [
        "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js", "urlquery", "eq", "ne", "lt", "le", "gt",
        "ge", "call", "json", "split", "join", "title", "lower", "upper", "pad", "truncate",
    ];

    public static bool Exists(string name) => Array.IndexOf(Names, name) >= 0;

    /// <summary>Calls a function whose arguments are evaluated (<c>and</c> and <c>or</c> are the interpreter's).</summary>
    /// <exception cref="EvaluationException">The arguments do not suit it.</exception>
    public static object? Call(string name, object?[] a) => name switch
    {
        "not" => !Interpreter.IsTrue(One(name, a)),
        "len" => Length(One(name, a)),
        "index" => Index(a),
        "slice" => Slice(a),
        "print" => GoFormat.Sprint(a),
        "println" => GoFormat.Sprintln(a),
        "printf" => a.Length == 0 ? throw Count(name, "at least 1", 0) : GoFormat.Sprintf(Text(name, a[0]), a[1..]),
        "html" => WebUtility.HtmlEncode(Joined(a)).Replace("&quot;", "&#34;", StringComparison.Ordinal),
        "js" => GoJson.Write(Joined(a))[1..^1].Replace("'", "\\'", StringComparison.Ordinal),
        "urlquery" => WebUtility.UrlEncode(Joined(a)),
        "eq" => Equal(a),
        "ne" => !Equal(Two(name, a)),
        "lt" => Compare(Two(name, a)) < 0,
        "le" => Compare(Two(name, a)) <= 0,
        "gt" => Compare(Two(name, a)) > 0,
        "ge" => Compare(Two(name, a)) >= 0,
        "json" => GoJson.Write(One(name, a)),
        "split" => Text(name, Two(name, a)[0]).Split(Text(name, a[1])).ToArray<object?>(),
        "join" => string.Join(Text(name, Two(name, a)[1]), Interpreter.Items(a[0]).Select(i => Text(name, i.Value))),
        "title" => Title(Text(name, One(name, a))),
        "lower" => Text(name, One(name, a)).ToLowerInvariant(),
        "upper" => Text(name, One(name, a)).ToUpperInvariant(),
        "pad" => Pad(a),
        "truncate" => Truncate(Text(name, Two(name, a)[0]), Number(name, a[1])),
        _ => throw new EvaluationException($"cannot call {name}"),
    };

    private static long Length(object? value) => value switch
    {
        string s => Encoding.UTF8.GetByteCount(s),
        JsonObject o => o.Count,
        JsonArray l => l.Count,
        object?[] l => l.Length,
        NilCollection => 0,
        null => throw new EvaluationException("len of nil pointer"),
        _ => throw new EvaluationException($"len of type {GoFormat.TypeOf(value)}"),
    };

    private static object? Index(object?[] a)
    {
        if (a.Length == 0) throw Count("index", "at least 1", 0);
        var value = a[0];
        foreach (var key in a[1..])
        {
            value = value switch
            {
                JsonObject o when key is string name => o.TryGetPropertyValue(name, out var child) ? JsonShape.Unwrap(child) : Missing(o),
                NilCollection map when map == NilCollection.Map && key is string => "",
                NilCollection or JsonArray or object?[] or string when key is long at => At(value, at),
                null => throw new EvaluationException("index of untyped nil"),
                _ => throw new EvaluationException($"cannot index slice/array with type {GoFormat.TypeOf(key)}"),
            };
        }

        return value;
    }

    /// <summary>What Go gives for a key that a map lacks: the zero of its values' type.</summary>
    private static object? Missing(JsonObject map)
    {
        foreach (var (_, value) in map)
        {
            if (value is JsonObject) return null;
            return value is JsonArray or null ? NilCollection.List : "";
        }

        return "";
    }

    private static object? At(object list, long at)
    {
        var length = Length(list);
        if (at < 0 || at >= length) throw new EvaluationException($"index out of range: {at}");
        return list switch
        {
            JsonArray l => JsonShape.Unwrap(l[(int)at]),
            object?[] l => l[at],
            _ => (long)Encoding.UTF8.GetBytes((string)list)[at],
        };
    }

    private static object? Slice(object?[] a)
    {
        if (a.Length == 0) throw Count("slice", "at least 1", 0);
        if (a[0] is null) throw new EvaluationException("slice of untyped nil");
        var length = (int)Length(a[0]);
        var from = a.Length > 1 ? Number("slice", a[1]) : 0;
        var to = a.Length > 2 ? Number("slice", a[2]) : length;
        if (from < 0 || from > length) throw new EvaluationException($"index out of range: {from}");
        if (to < 0 || to > length) throw new EvaluationException($"index out of range: {to}");
        if (from > to) throw new EvaluationException($"invalid slice index: {from} > {to}");
        return a[0] switch
        {
            string s => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(s).AsSpan((int)from, (int)(to - from))),
            JsonObject => throw new EvaluationException($"can't slice item of type {GoFormat.TypeOf(a[0])}"),
            var list => Interpreter.Items(list).Skip((int)from).Take((int)(to - from)).Select(i => i.Value).ToArray(),
        };
    }

    private static bool Equal(object?[] a)
    {
        if (a.Length == 0) throw Count("eq", "at least 1", 0);
        if (a.Length == 1) throw new EvaluationException("missing argument for comparison");
        foreach (var other in a[1..])
        {
            if (a[0] is JsonNode or object?[] or Row || other is JsonNode or object?[] or Row)
            {
                throw new EvaluationException("non-comparable type for comparison");
            }

            if (a[0] is not null && other is not null && a[0]!.GetType() != other.GetType())
            {
                throw new EvaluationException("incompatible types for comparison");
            }

            if (Equals(a[0], other)) return true;
        }

        return false;
    }

    private static int Compare(object?[] a) => (a[0], a[1]) switch
    {
        (long x, long y) => x.CompareTo(y),
        (double x, double y) => x.CompareTo(y),
        (string x, string y) => string.CompareOrdinal(x, y),
        (long or double or string, long or double or string) => throw new EvaluationException("incompatible types for comparison"),
        _ => throw new EvaluationException("invalid type for comparison"),
    };

    private static string Title(string text)
    {
        var result = new StringBuilder(text);
        for (var i = 0; i < result.Length; i++)
        {
            if (i == 0 || !char.IsLetterOrDigit(result[i - 1]) && result[i - 1] is not ('_' or '\'')) result[i] = char.ToUpperInvariant(result[i]);
        }

        return result.ToString();
    }

    private static string Pad(object?[] a)
    {
        if (a.Length != 3) throw Count("pad", "3", a.Length);
        var text = Text("pad", a[0]);
        if (text.Length == 0) return text;
        return new string(' ', (int)Math.Clamp(Number("pad", a[1]), 0, 10_000)) + text + new string(' ', (int)Math.Clamp(Number("pad", a[2]), 0, 10_000));
    }

    private static string Truncate(string text, long length)
        => length < 0 || text.Length <= length ? text : text[..(int)length];

    private static string Joined(object?[] a) => a is [string only] ? only : GoFormat.Sprint(a);

    private static object? One(string name, object?[] a) => a.Length == 1 ? a[0] : throw Count(name, "1", a.Length);

    private static object?[] Two(string name, object?[] a) => a.Length == 2 ? a : throw Count(name, "2", a.Length);

    private static string Text(string name, object? value) => value switch
    {
        string s => s,
        bool or long or double when name == "join" => GoFormat.Print(value),
        _ => throw new EvaluationException($"wrong type for value; expected string; got {GoFormat.TypeOf(value)}"),
    };

    private static long Number(string name, object? value)
        => value is long n ? n : throw new EvaluationException(
            string.Create(CultureInfo.InvariantCulture, $"wrong type for argument of {name}; expected int; got {GoFormat.TypeOf(value)}"));

    private static EvaluationException Count(string name, string want, int got) => new($"wrong number of args for {name}: want {want} got {got}");
}
