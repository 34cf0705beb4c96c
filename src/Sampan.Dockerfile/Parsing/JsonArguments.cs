using System.Text;
using System.Text.Json;

namespace Sampan.Dockerfile.Parsing;

/// <summary>The exec form: a JSON array of strings.</summary>
internal static class JsonArguments
{
    /// <summary>
    /// Reads an array of strings; null when the text is no JSON array at all, so that it is a shell form that begins with a bracket.
    /// </summary>
    /// <exception cref="FormatException">It is valid JSON, but something in it is no string.</exception>
    public static IReadOnlyList<string>? TryParse(string text)
    {
        if (!text.StartsWith('['))
        {
            return null;
        }

        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), new JsonReaderOptions { MaxDepth = 256 });
        var strings = new List<string>();
        var onlyStrings = true;
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.String)
                {
                    strings.Add(reader.GetString()!);
                }
                else if (!(reader.CurrentDepth == 0 && reader.TokenType is JsonTokenType.StartArray or JsonTokenType.EndArray))
                {
                    onlyStrings = false;
                }

                onlyStrings &= reader.CurrentDepth <= 1;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // not JSON (or half a surrogate pair in it)
        }

        return onlyStrings ? strings : throw new FormatException("only double-quoted strings may stand in a JSON array");
    }
}
