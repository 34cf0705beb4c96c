using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>What prune takes and what it leaves; with a daemon of its own, since prune is thorough.</summary>
public sealed class PruneTests
{
    [Fact]
    public async Task Images_are_pruned_by_use_name_age_and_label()
    {
        await using Daemon daemon = await Daemon.StartAsync();
        async Task<string> Made(string name, string change) =>
            (await daemon.Docker.Run(["import", "--change", change, "-", name], new TarMaker().File("f", name + change).Finish()))
            .Succeeds().Output;
        string dangling = await Made("app", "ENV A=1"), labelled = await Made("app", "LABEL keep=yes");
        string named = await Made("app", "ENV A=2");
        (await daemon.Docker.Run("create --name user busybox true")).Succeeds();

        (await daemon.Docker.Run("image prune -f --filter until=1h")).Succeeds().Prints("Total reclaimed space: 0B");
        (await daemon.Sampan.Run("image prune -f --filter label!=keep=yes")).Succeeds().Shows($"deleted: {dangling}")
            .Shows("Total reclaimed space: ");
        (await daemon.Sampan.Run($"image inspect {labelled}")).Succeeds();
        (await daemon.Docker.Run("image prune -f")).Succeeds().Shows($"deleted: {labelled}");
        (await daemon.Docker.Run("image prune -f --filter nonsense=1")).Exits(1).Complains("invalid filter");
        (await daemon.Docker.Run("image prune -a -f")).Succeeds().Shows("untagged: app:latest").Shows($"deleted: {named}");
        (await daemon.Docker.Run("images --format {{.Repository}}")).Succeeds().Prints("busybox");
        (await daemon.Docker.Run("container prune -f --filter until=1h")).Succeeds().Prints("Total reclaimed space: 0B");
        (await daemon.Sampan.Run("container prune -f")).Succeeds().Shows("Deleted Containers:");
        (await daemon.Sampan.Run("image prune -a -f")).Succeeds().Shows("untagged: busybox:latest");
        (await daemon.Docker.Run("images -a -q")).Succeeds().Prints("");
    }
}
