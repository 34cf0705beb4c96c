using Sampan.Daemon.Buildkit;
using Sampan.Daemon.Http;

namespace Sampan.Daemon.Routes;

/// <summary>Every route, by the slice it belongs to.</summary>
internal static class AllRoutes
{
    public static void Map(Router router, BuildkitHost buildkit, DaemonLog log)
    {
        SystemRoutes.Map(router);
        ContainerRoutes.Map(router);
        ContainerStreamRoutes.Map(router, log);
        ArchiveRoutes.Map(router);
        ExecRoutes.Map(router, log);
        ImageRoutes.Map(router);
        BuildRoutes.Map(router);
        buildkit.Map(router);
        RegistryRoutes.Map(router, log);
        NetworkRoutes.Map(router);
        VolumeRoutes.Map(router);
        AbsentRoutes.Map(router);
    }
}
