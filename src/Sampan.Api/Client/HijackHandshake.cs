using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Sampan.Api;

/// <summary>The HTTP part of a hijacked connection, from the client's side.</summary>
internal static class HijackHandshake
{
    /// <summary>An answer's status line and headers may be this long.</summary>
    private const int HeaderLimit = 32 * 1024;

    /// <summary>An error's body may be this long.</summary>
    private const int ErrorLimit = 1024 * 1024;

    internal static async Task<HijackedConnection> RunAsync(
        Socket socket, string authority, string path, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        var head = $"POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: sampan\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" +
            $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n";
        await SendAllAsync(socket, Encoding.ASCII.GetBytes(head), cancel);
        await SendAllAsync(socket, body, cancel);

        var buffer = new byte[HeaderLimit];
        var (length, headerEnd) = (0, -1);
        while (headerEnd < 0)
        {
            if (length == buffer.Length)
            {
                throw new ApiConnectionException("the server's answer has headers without end");
            }

            var n = await socket.ReceiveAsync(buffer.AsMemory(length), cancel);
            if (n == 0)
            {
                throw new ApiConnectionException("the server closed the connection before it answered");
            }

            length += n;
            headerEnd = buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
        }

        var lines = Encoding.Latin1.GetString(buffer, 0, headerEnd).Split("\r\n");
        var status = Status(lines[0]);
        var rest = buffer.AsMemory(headerEnd + 4, length - headerEnd - 4);
        return status is 101 or 200
            ? new HijackedConnection(socket, rest, Header(lines, "Content-Type"))
            : throw new ApiException(status, ApiClient.ErrorText(await ErrorBodyAsync(socket, lines, rest, cancel), status));
    }

    private static int Status(string line) =>
        line.StartsWith("HTTP/1.", StringComparison.Ordinal) && line.Length >= 12
        && int.TryParse(line.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var status)
            ? status
            : throw new ApiConnectionException($"the server's answer is not HTTP: '{line}'");

    private static string? Header(string[] lines, string name)
    {
        foreach (var line in lines)
        {
            var colon = line.IndexOf(':');
            if (colon == name.Length && line.StartsWith(name, StringComparison.OrdinalIgnoreCase))
            {
                return line[(colon + 1)..].Trim();
            }
        }

        return null;
    }

    private static async Task<byte[]> ErrorBodyAsync(Socket socket, string[] lines, ReadOnlyMemory<byte> start, CancellationToken cancel)
    {
        var chunked = Header(lines, "Transfer-Encoding")?.Contains("chunked", StringComparison.OrdinalIgnoreCase) ?? false;
        var want = int.TryParse(Header(lines, "Content-Length"), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : ErrorLimit;
        var all = new MemoryStream();
        all.Write(start.Span);
        var buffer = new byte[4096];
        while (all.Length < Math.Min(want, ErrorLimit) && !(chunked && EndsChunked(all)))
        {
            n = await socket.ReceiveAsync(buffer, cancel);
            if (n == 0)
            {
                break;
            }

            all.Write(buffer, 0, n);
        }

        return chunked ? Dechunk(all.ToArray()) : all.ToArray();
    }

    private static bool EndsChunked(MemoryStream all) => all.GetBuffer().AsSpan(0, (int)all.Length).EndsWith("0\r\n\r\n"u8);

    private static byte[] Dechunk(byte[] body)
    {
        var result = new MemoryStream();
        ReadOnlySpan<byte> left = body;
        while (left.IndexOf("\r\n"u8) is > 0 and var end
            && int.TryParse(left[..end], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var length)
            && length > 0 && end + 2 + length <= left.Length)
        {
            result.Write(left.Slice(end + 2, length));
            left = left[Math.Min(left.Length, end + 4 + length)..];
        }

        return result.ToArray();
    }

    private static async Task SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, cancel)..];
        }
    }
}
