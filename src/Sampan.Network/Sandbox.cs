using Microsoft.Win32.SafeHandles;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>
/// A container's network namespace, kept alive by a socket that was opened inside, through which everything inside is done: it may be used
/// from any thread. The namespace is mounted nowhere. A thousand mounts of namespaces would be copied for each container that starts (10 ms
/// of work), and would have to be found and taken away after a crash.
/// </summary>
public sealed class Sandbox : IDisposable
{
    private Sandbox(string name, RouteSocket routes)
    {
        (Name, Routes) = (name, routes);
    }

    /// <summary>Whose it is; written on the host's ends of its interfaces.</summary>
    public string Name { get; }

    /// <summary>Interfaces, addresses and routes inside.</summary>
    public RouteSocket Routes { get; }

    /// <summary>
    /// Makes a namespace with loopback up and IPv6 off on interfaces to come (a network that has IPv6 switches it on for its own).
    /// </summary>
    public static Sandbox Create(string name) => new(name, NetworkNamespace.RunInNew(() =>
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

    /// <summary>The sandbox of a running process, <c>/proc/PID/ns/net</c>, e.g. after the daemon's restart.</summary>
    public static Sandbox Open(string name, string path) => new(name, NetworkNamespace.Run(path, () => new RouteSocket()));

    /// <summary>Runs something on a thread inside the namespace, e.g. to set parameters under /proc/sys/net.</summary>
    public T Run<T>(Func<T> inside)
    {
        using var ns = OpenNamespace();
        return NetworkNamespace.Run(ns, inside);
    }

    /// <summary>The namespace, for a process that is to join it, or an interface that is to be made in it; the caller's to close.</summary>
    public SafeFileHandle OpenNamespace() => Routes.OpenNamespace();

    /// <summary>
    /// Lets the namespace go. When no process has it any more its interfaces vanish, and their host ends with them: the kernel does so in its
    /// own time, nobody waits.
    /// </summary>
    public void Dispose() => Routes.Dispose();
}
