using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Sampan.Api;

/// <summary>Where a server listens: <c>unix:///path</c> or <c>tcp://host:port</c>, as in <c>-H</c> and <c>DOCKER_HOST</c>.</summary>
public sealed record ApiEndpoint
{
    private ApiEndpoint(string text) => Text = text;

    /// <summary>As it was given.</summary>
    public string Text { get; }

    /// <summary>The socket's path, or null.</summary>
    public string? UnixPath { get; private init; }

    /// <summary>Host name or address, or null.</summary>
    public string? Host { get; private init; }

    public int Port { get; private init; }

    /// <summary>The <c>Host</c> header and the base of URLs.</summary>
    internal string Authority => UnixPath is null ? $"{(Host!.Contains(':') ? $"[{Host}]" : Host)}:{Port}" : "sampan";

    /// <exception cref="FormatException">Not an address; the message says what is wrong.</exception>
    public static ApiEndpoint Parse(string text)
    {
        if (text.StartsWith("unix://", StringComparison.Ordinal))
        {
            var path = text["unix://".Length..];
            return path.Length > 0 ? new ApiEndpoint(text) { UnixPath = path } : throw new FormatException($"no path in '{text}'");
        }

        if (text.StartsWith("tcp://", StringComparison.Ordinal) || text.StartsWith("http://", StringComparison.Ordinal))
        {
            var rest = text[(text.IndexOf("//", StringComparison.Ordinal) + 2)..].TrimEnd('/');
            var colon = rest.LastIndexOf(':');
            if (colon < 0 || rest.EndsWith(']'))
            {
                return new ApiEndpoint(text) { Host = Unbracket(rest.Length == 0 ? "127.0.0.1" : rest), Port = 2375 };
            }

            var host = Unbracket(colon == 0 ? "127.0.0.1" : rest[..colon]);
            if (!int.TryParse(rest[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > 65535)
            {
                throw new FormatException($"invalid port '{rest[(colon + 1)..]}' in '{text}'");
            }

            return new ApiEndpoint(text) { Host = host, Port = port };
        }

        throw new FormatException($"unable to parse docker host '{text}': want unix://PATH or tcp://HOST:PORT");
    }

    private static string Unbracket(string host) => host is ['[', .., ']'] ? host[1..^1] : host;

    /// <summary>Opens a connection.</summary>
    /// <exception cref="ApiConnectionException">Nobody answers there.</exception>
    internal async Task<Socket> ConnectAsync(CancellationToken cancel)
    {
        var socket = UnixPath is null
            ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            EndPoint end = UnixPath is null ? new DnsEndPoint(Host!, Port) : new UnixDomainSocketEndPoint(UnixPath);
            await socket.ConnectAsync(end, cancel);
            return socket;
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket.Dispose();
            if (e is SocketException { SocketErrorCode: SocketError.AccessDenied })
            {
                throw new ApiConnectionException($"permission denied while trying to connect to the daemon socket at {Text}", e);
            }

            throw new ApiConnectionException($"Cannot connect to the Docker daemon at {Text}. Is the docker daemon running?", e);
        }
    }
}
