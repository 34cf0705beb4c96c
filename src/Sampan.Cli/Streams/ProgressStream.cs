using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands;

namespace Sampan.Cli.Streams;

/// <summary>Shows the JSON messages that build, pull, load and import answer with: one object after another.</summary>
internal static class ProgressStream
{
    private const int MaxMessageBytes = 16 << 20;

    /// <summary>Shows messages until the stream ends.</summary>
    /// <param name="terminal">Moving progress (which overwrites itself) is shown only there.</param>
    /// <param name="aux">Gets the <c>aux</c> objects, e.g. the ID of the built image.</param>
    /// <exception cref="CliException">The stream reported an error.</exception>
    public static void Show(Stream stream, TextWriter output, bool terminal, Action<JsonNode>? aux = null)
    {
        Read(stream, Show, aux, output.Flush);
        void Show(JsonNode message)
        {
            ProgressStream.Show(message, output, terminal);
            output.Flush();
        }
    }

    /// <summary>Gives messages on until the stream ends.</summary>
    /// <param name="show">Gets what is said.</param>
    /// <param name="aux">Gets the <c>aux</c> objects.</param>
    /// <param name="failing">Is called before an error of the stream is thrown.</param>
    /// <exception cref="CliException">The stream reported an error.</exception>
    public static void Read(Stream stream, Action<JsonNode> show, Action<JsonNode>? aux, Action failing)
    {
        foreach (var message in Messages(stream))
        {
            if (message.Child("aux") is { } extra)
            {
                aux?.Invoke(extra);
                continue;
            }

            var error = message.Child("errorDetail").Text("message") is { Length: > 0 } detail ? detail : message.Text("error");
            if (error.Length > 0)
            {
                failing();
                var code = (int)message.Child("errorDetail").Number("code");
                throw new CliException(error, code is > 0 and < 256 ? code : 1);
            }

            show(message);
        }
    }

    /// <summary>Takes a stream of JSON objects apart.</summary>
    public static IEnumerable<JsonNode> Messages(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        while (true)
        {
            var consumed = 0;
            while (TryTake(buffer.AsSpan(consumed, filled - consumed), out var length, out var message))
            {
                consumed += length;
                if (message is not null) yield return message;
            }

            buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
            filled -= consumed;
            if (filled == buffer.Length)
            {
                if (filled >= MaxMessageBytes) throw new CliException("the daemon sent a message that is too long");
                Array.Resize(ref buffer, buffer.Length * 2);
            }

            var count = stream.Read(buffer.AsSpan(filled));
            if (count == 0)
            {
                var rest = Encoding.UTF8.GetString(buffer, 0, filled).Trim();
                if (rest.Length > 0) throw new CliException($"the daemon's answer ended inside a message: {rest}");
                yield break;
            }

            filled += count;
        }
    }

    /// <summary>Takes one object from the beginning; false when it is not there to its end.</summary>
    private static bool TryTake(ReadOnlySpan<byte> bytes, out int length, out JsonNode? message)
    {
        message = null;
        length = bytes.IndexOfAnyExcept(" \t\r\n\x1e"u8);
        if (length < 0)
        {
            length = bytes.Length;
            return length > 0;
        }

        try
        {
            var reader = new Utf8JsonReader(bytes[length..], isFinalBlock: false, state: default);
            if (!JsonDocument.TryParseValue(ref reader, out var document)) return false;
            using (document) message = JsonNode.Parse(document.RootElement.GetRawText());
            length += (int)reader.BytesConsumed;
            return true;
        }
        catch (JsonException e)
        {
            throw new CliException($"the daemon's answer is not JSON: {e.Message}");
        }
    }

    private static void Show(JsonNode message, TextWriter output, bool terminal)
    {
        var text = message.Text("stream");
        if (text.Length > 0)
        {
            output.Write(text);
            return;
        }

        var progress = message.Text("progress");
        var detail = message.Child("progressDetail");
        if (detail is JsonObject { Count: > 0 } && !terminal) return;
        var id = message.Text("id");
        var line = id.Length > 0 ? $"{id}: {message.Text("status")}" : message.Text("status");
        if (progress.Length > 0) output.Write($"{line} {progress}\r");
        else output.Write(line + "\n");
    }
}
