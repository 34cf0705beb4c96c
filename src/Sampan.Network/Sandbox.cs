using Microsoft.Win32.SafeHandles;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>
/// A container's network namespace, kept at a path independent of any process. What is done inside goes through a socket that was opened
/// inside, so it may be used from any thread.
/// </summary>
public sealed class Sandbox : IDisposable
{
    private readonly RouteSocket _routes;

    private Sandbox(string path, RouteSocket routes)
    {
        Path = path;
        _routes = routes;
    }

    /// <summary>Where the namespace is mounted; a runtime joins it by this path.</summary>
    public string Path { get; }

    /// <summary>Interfaces, addresses and routes inside.</summary>
    public RouteSocket Routes => _routes;

    /// <summary>
    /// Makes a namespace at a path whose directory exists, with loopback up and IPv6 off on interfaces to come (a network that has IPv6
    /// switches it on for its own). Nothing is left behind on failure.
    /// </summary>
    public static Sandbox Create(string nsPath) => new(nsPath, NetworkNamespace.Create(nsPath, () =>
    {
        Sysctl.Write("net/ipv6/conf/default/disable_ipv6", "1");
        var routes = new RouteSocket();
        try
        {
            routes.Execute(RouteSocket.SetLink("lo", up: true));
            return routes;
        }
        catch
        {
            routes.Dispose();
            throw;
        }
    }));

    /// <summary>Opens a namespace that exists, e.g. after the daemon's restart.</summary>
    public static Sandbox Open(string nsPath) => new(nsPath, NetworkNamespace.Run(nsPath, () => new RouteSocket()));

    /// <summary>
    /// Lets the namespace go; its interfaces vanish with its last process, and their host ends with them. The kernel does so in its own
    /// time, nobody waits. May be called twice.
    /// </summary>
    public static void Delete(string nsPath) => NetworkNamespace.Delete(nsPath);

    /// <summary>Runs something on a thread inside the namespace, e.g. to set parameters under /proc/sys/net.</summary>
    public T Run<T>(Func<T> inside) => NetworkNamespace.Run(Path, inside);

    /// <summary>Closes the socket; the namespace stays.</summary>
    public void Dispose() => _routes.Dispose();

    internal SafeFileHandle OpenNamespace() => File.OpenHandle(Path);
}
