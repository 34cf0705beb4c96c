using System.Globalization;
using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Http;

/// <summary>Where a daemon listens: <c>unix:///run/sampan/sampan.sock</c> or <c>tcp://127.0.0.1:2375</c>.</summary>
internal sealed record DaemonAddress(string Text, string? SocketPath, string Host, int Port)
{
    public const string DefaultSocket = "/run/sampan/sampan.sock";
    private const int DefaultTcpPort = 2375;

    public static readonly DaemonAddress Default = new("unix://" + DefaultSocket, DefaultSocket, "", 0);

    public static DaemonAddress Parse(string text)
    {
        if (text.Length == 0) return Default;
        var at = text.IndexOf("://", StringComparison.Ordinal);
        if (at < 0) throw new CliException($"unable to parse docker host `{text}`");
        var rest = text[(at + 3)..];
        switch (text[..at])
        {
            case "unix":
                return new DaemonAddress(text, rest.Length == 0 ? DefaultSocket : rest, "", 0);
            case "tcp" or "http":
                var slash = rest.IndexOf('/');
                if (slash >= 0) rest = rest[..slash];
                var colon = rest.LastIndexOf(':');
                if (colon < 0 || rest.EndsWith(']')) return new DaemonAddress(text, null, Unbracket(rest), DefaultTcpPort);
                return int.TryParse(rest.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
                    ? new DaemonAddress(text, null, Unbracket(rest[..colon]), port)
                    : throw new CliException($"invalid port in host `{text}`");
            default:
                throw new CliException($"protocol not available: `{text[..at]}` in host `{text}` (unix and tcp are)");
        }
    }

    private static string Unbracket(string host)
        => host.Length == 0 ? "127.0.0.1" : host.StartsWith('[') && host.EndsWith(']') ? host[1..^1] : host;
}
