using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Sampan.Daemon.Options;

namespace Sampan.Daemon.Listening;

/// <summary>The sockets the daemon listens on, bound before anything else, so that clients wait instead of being refused.</summary>
internal sealed class Listeners : IDisposable
{
    private const int Backlog = 512;
    private const int FirstPassedDescriptor = 3;

    private const string OpenTcp = "without TLS everybody who reaches this address is root on this machine";

    private readonly List<Socket> _sockets = [];
    private readonly List<string> _paths = [];

    public IReadOnlyList<Socket> Sockets => _sockets;

    /// <exception cref="SettingsException">An address cannot be had; the message says why.</exception>
    public static Listeners Open(DaemonConfig config, DaemonLog log)
    {
        var listeners = new Listeners();
        try
        {
            foreach (var host in config.Hosts)
            {
                listeners.Add(host, config, log);
            }

            return listeners;
        }
        catch
        {
            listeners.Dispose();
            throw;
        }
    }

    /// <summary>Removes the socket files; the sockets themselves are the server's.</summary>
    public void Dispose()
    {
        foreach (var path in _paths)
        {
            File.Delete(path);
        }

        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }
    }

    private void Add(string host, DaemonConfig config, DaemonLog log)
    {
        if (host.StartsWith("unix://", StringComparison.Ordinal))
        {
            Unix(Path.GetFullPath(host["unix://".Length..] is { Length: > 0 } path ? path : throw Bad(host, "no path")), config.Group);
        }
        else if (host.StartsWith("tcp://", StringComparison.Ordinal))
        {
            Tcp(host, config.AllowOpenTcp, log);
        }
        else if (host.StartsWith("fd://", StringComparison.Ordinal))
        {
            Passed(host);
        }
        else
        {
            throw Bad(host, "want unix://PATH, tcp://HOST:PORT or fd://");
        }
    }

    private void Unix(string path, string? group)
    {
        if (IsAnswered(path))
        {
            throw new SettingsException($"cannot listen on 'unix://{path}': another daemon answers there");
        }

        // The file gets its name last, when its owner and mode are right: at no moment may others connect.
        var temporary = $"{path}.{Environment.ProcessId}";
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _sockets.Add(socket);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Delete(temporary);
            socket.Bind(new UnixDomainSocketEndPoint(temporary));
            Groups.Give(temporary, Groups.Resolve(group));
            socket.Listen(Backlog);
            File.Move(temporary, path, overwrite: true);
            _paths.Add(path);
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            File.Delete(temporary);
            throw new SettingsException($"cannot listen on 'unix://{path}': {e.Message}");
        }
    }

    /// <summary>A socket file whose daemon has died refuses connections: such a file is replaced.</summary>
    private static bool IsAnswered(string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Tcp(string host, bool allowOpen, DaemonLog log)
    {
        Api.ApiEndpoint parsed;
        try
        {
            parsed = Api.ApiEndpoint.Parse(host);
        }
        catch (FormatException e)
        {
            throw Bad(host, e.Message);
        }

        var name = parsed.Host == "localhost" ? "127.0.0.1" : parsed.Host!;
        var address = IPAddress.TryParse(name, out var a) ? a : throw Bad(host, "want an address, not a name");
        if (!IPAddress.IsLoopback(address))
        {
            if (!allowOpen)
            {
                throw Bad(host, $"{OpenTcp}; listen on 127.0.0.1, or say --tls=false to mean it");
            }

            log.Warn($"listening on '{host}': {OpenTcp}");
        }

        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(socket);
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(address, parsed.Port));
            socket.Listen(Backlog);
        }
        catch (SocketException e)
        {
            throw new SettingsException($"cannot listen on '{host}': {e.Message}");
        }
    }

    /// <summary>Sockets that systemd has opened (sd_listen_fds(3)): all of them, or <c>fd://N</c> for one.</summary>
    private void Passed(string host)
    {
        var mine = Environment.GetEnvironmentVariable("LISTEN_PID") == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        var passed = mine ? Environment.GetEnvironmentVariable("LISTEN_FDS") : null;
        if (!int.TryParse(passed, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count == 0)
        {
            throw new SettingsException(
                $"cannot listen on '{host}': no sockets found via socket activation: make sure the service was started by systemd");
        }

        var which = host["fd://".Length..] is var text && text is "" or "*"
            ? Enumerable.Range(FirstPassedDescriptor, count)
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var one)
                && one >= FirstPassedDescriptor && one < FirstPassedDescriptor + count
                ? [one]
                : throw Bad(host, $"want one of the {count} passed descriptors from {FirstPassedDescriptor}");
        foreach (var descriptor in which)
        {
            _sockets.Add(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)));
        }
    }

    private static SettingsException Bad(string host, string why) => new($"invalid address '{host}' (--host): {why}");
}
