using System.Runtime.InteropServices;
using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>What the daemon says that it can do.</summary>
internal static class Workers
{
    /// <summary>By its label clients know that outputs of all types, caches and pushes are served here, and not only images.</summary>
    private const string SnapshotterLabel = "org.mobyproject.buildkit.worker.snapshotter";

    private static readonly string[] FrontendCapabilities =
    [
        "solve.base", "solve.inlinereturn", "resolveimage", "readfile", "return", "returnmap", "statfile", "importcaches", "proto.refarray",
        "reference.output", "frontend.inputs", "frontend.caps", "gateway.evaluate", "gateway.solve.evaluate", "gateway.solve.metadata", "gateway.warnings",
    ];

    private static readonly string[] BuildCapabilities =
    [
        "source.image", "source.local", "source.local.unique", "source.local.sessionid", "source.local.includepatterns", "source.local.followpaths",
        "source.local.excludepatterns", "source.local.sharedkeyhint", "source.git", "source.http", "constraints", "platform", "meta.description",
        "exporter.image.annotations", "exporter.multiple",
    ];

    /// <summary><c>ListWorkersResponse</c>.</summary>
    public static ReadOnlyMemory<byte> List() => new ProtoWriter().Message(1, Worker).Written;

    /// <summary><c>InfoResponse</c>.</summary>
    public static ReadOnlyMemory<byte> Info() => new ProtoWriter().Message(1, Version).Written;

    /// <summary><c>PongResponse</c>.</summary>
    public static ReadOnlyMemory<byte> Pong()
    {
        var pong = new ProtoWriter();
        foreach (var (field, names) in ((int, string[])[])[(1, FrontendCapabilities), (2, BuildCapabilities)])
        {
            foreach (var name in names)
            {
                pong.Message(field, capability => capability.String(1, name).Bool(2, true));
            }
        }

        return pong.Message(3, Worker).Written;
    }

    private static void Worker(ProtoWriter worker) => worker
        .String(1, "sampan")
        .Map(2, [new(SnapshotterLabel, "overlayfs"), new("org.mobyproject.buildkit.worker.executor", "sampan")])
        .Message(3, platform => platform.String(1, RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64").String(2, "linux"))
        .Message(5, Version);

    private static void Version(ProtoWriter version) => version.String(1, "sampan").String(2, DaemonProgram.Version);
}
