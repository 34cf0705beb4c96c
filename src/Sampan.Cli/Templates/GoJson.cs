using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Sampan.Cli.Templates;

/// <summary>Writes values as Go's encoding/json does with HTML escaping off, compact or indented.</summary>
internal static class GoJson
{
    /// <param name="indent">What one level is indented by; null writes everything on one line.</param>
    public static string Write(object? value, string? indent = null)
    {
        var text = new StringBuilder();
        Write(text, value, indent, 0, html: false);
        return text.ToString();
    }

    private static void Write(StringBuilder text, object? value, string? indent, int depth, bool html)
    {
        switch (value)
        {
            case null or NilCollection:
                text.Append("null");
                break;
            case bool b:
                text.Append(b ? "true" : "false");
                break;
            case string s:
                Quote(text, s, html);
                break;
            case long or int or ulong:
                text.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double d:
                text.Append(GoFormat.JsonNumber(d));
                break;
            case JsonObject o:
                Open(text, '{', '}', indent, depth, o, (pair) =>
                {
                    Quote(text, pair.Key, html);
                    text.Append(indent is null ? ":" : ": ");
                    Write(text, pair.Value, indent, depth + 1, html);
                });
                break;
            case JsonArray a:
                Open(text, '[', ']', indent, depth, a, item => Write(text, item, indent, depth + 1, html));
                break;
            case JsonValue v when v.GetValueKind() == System.Text.Json.JsonValueKind.Number:
                // As it came: a number may be larger than any type of ours.
                text.Append(v.ToJsonString());
                break;
            case JsonValue v:
                Write(text, JsonShape.Unwrap(v), indent, depth, html);
                break;
            case Row row:
                Open(text, '{', '}', indent, depth, row.Fields, (pair) =>
                {
                    Quote(text, pair.Key, html);
                    text.Append(indent is null ? ":" : ": ");
                    // Docker's rows marshal themselves, and so with HTML escaping on.
                    Write(text, pair.Value(), indent, depth + 1, html: true);
                });
                break;
            case IEnumerable<object?> list:
                Open(text, '[', ']', indent, depth, list, item => Write(text, item, indent, depth + 1, html));
                break;
            default:
                throw new EvaluationException($"json: unsupported type: {GoFormat.TypeOf(value)}");
        }
    }

    private static void Open<T>(StringBuilder text, char open, char close, string? indent, int depth, IEnumerable<T> items, Action<T> write)
    {
        text.Append(open);
        var any = false;
        foreach (var item in items)
        {
            if (any) text.Append(',');
            any = true;
            NewLine(text, indent, depth + 1);
            write(item);
        }

        if (any) NewLine(text, indent, depth);
        text.Append(close);
    }

    private static void NewLine(StringBuilder text, string? indent, int depth)
    {
        if (indent is null) return;
        text.Append('\n');
        for (var i = 0; i < depth; i++) text.Append(indent);
    }

    private static void Quote(StringBuilder text, string value, bool html)
    {
        text.Append('"');
        foreach (var c in value)
        {
            switch (c)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append(@"\\"); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\b': text.Append("\\b"); break;
                case '\f': text.Append("\\f"); break;
                case < ' ' or '\u2028' or '\u2029':
                case '<' or '>' or '&' when html:
                    text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    break;
                default: text.Append(c); break;
            }
        }

        text.Append('"');
    }
}
