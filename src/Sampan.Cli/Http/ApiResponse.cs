using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Http;

/// <summary>An answer of the daemon. Disposing it gives the connection back when the body was read to its end.</summary>
internal sealed class ApiResponse(ApiTransport transport, HttpConnection connection, int status, Dictionary<string, string> headers, BodyStream body)
    : IDisposable
{
    private bool _taken;

    public int Status { get; } = status;

    public Stream Body => body;

    public HttpConnection Connection => connection;

    public string? Header(string name) => headers.GetValueOrDefault(name);

    /// <summary>The connection belongs to the caller from now on (attach, exec).</summary>
    public HttpConnection Hijack()
    {
        _taken = true;
        return connection;
    }

    public JsonNode? ReadJson() => Parsed(static bytes => bytes.IsEmpty ? null : JsonNode.Parse(bytes));

    /// <summary>The text or the number called <paramref name="name"/> of the answer; empty when it has none.</summary>
    public string ReadMember(string name) => Parsed(bytes => JsonBody.Member(bytes, name)) ?? "";

    private T Parsed<T>(Func<ReadOnlySpan<byte>, T> parse)
    {
        using var all = new MemoryStream();
        body.CopyTo(all);
        try
        {
            return parse(all.GetBuffer().AsSpan(0, (int)all.Length));
        }
        catch (JsonException e)
        {
            throw new CliException($"the daemon's answer is not JSON: {e.Message}");
        }
    }

    /// <summary>The message of an error answer.</summary>
    public string ReadError()
    {
        using var all = new MemoryStream();
        body.CopyTo(all);
        var text = Encoding.UTF8.GetString(all.GetBuffer(), 0, (int)all.Length).Trim();
        if (text.StartsWith('{'))
        {
            try
            {
                if (JsonNode.Parse(text)?["message"]?.GetValue<string>() is { } message) return message;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // Not Docker's error object: the text itself is the best there is.
            }
        }

        return text.Length > 0 ? text : $"request returned status {Status}";
    }

    public void Dispose()
    {
        if (_taken) return;
        _taken = true;
        if (body.Finished && connection.Reusable) transport.Return(connection);
        else connection.Dispose();
    }
}

/// <summary>The daemon refused: "Error response from daemon: …".</summary>
internal sealed class DaemonException(int status, string message) : CliException("Error response from daemon: " + message)
{
    public int Status { get; } = status;

    public bool NotFound => Status == 404;

    /// <summary>What the daemon said, without our words around it.</summary>
    public string Reason { get; } = message;
}

/// <summary>No daemon answers where we look.</summary>
internal sealed class NoDaemonException(string message) : CliException(message);
