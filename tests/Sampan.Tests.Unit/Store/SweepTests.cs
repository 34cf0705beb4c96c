using Sampan.Oci;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>What a killed daemon left goes with the next start, and what somebody needs stays.</summary>
public sealed class SweepTests : StoreFixture
{
    [Fact]
    public async Task Blobs_layers_and_temporary_files_that_nobody_has_go()
    {
        var kept = Apply(Tar(Entry("kept", size: 3)));
        var used = Apply(Tar(Entry("used", size: 4)));
        var image = Image(kept, "app");
        var blob = Store.Blobs.Put("nobody's"u8);
        var pushed = Store.Blobs.Put("a registry's"u8);
        Apply(Tar(Entry("loose", size: 5)));
        Close();
        Directory.CreateDirectory(Path.Combine(Root, "tmp", "build-1", "deep"));
        System.IO.File.WriteAllText(Path.Combine(Root, "tmp", "blob-1"), "half");
        Store.Images.KeptBlobs = () => [pushed];
        Store.Layers.ContainerRoots = () => [used.ChainId];
        await Store.SweepAsync();

        Assert.Equal([kept.ChainId, used.ChainId], Store.Layers.List().Select(l => l.ChainId).OrderBy(c => c == used.ChainId));
        Assert.False(Store.Blobs.Contains(blob));
        Assert.True(Store.Blobs.Contains(pushed));
        Assert.Equal(image.Id, Store.Images.Resolve("app").Id);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Root, "tmp")));
    }

    [Fact]
    public async Task Layers_of_containers_outlive_their_image()
    {
        var layer = Apply(Tar(Entry("a", size: 3)));
        Image(layer, "app");
        Store.Layers.ContainerRoots = () => [layer.ChainId];
        Store.Images.Remove("app", new RemoveOptions { Force = true });
        Assert.NotNull(Store.Layers.Get(layer.ChainId));
        Store.Layers.ContainerRoots = () => [];
        await Store.SweepAsync();
        Assert.Empty(Store.Layers.List());
    }

    [Fact]
    public async Task An_image_that_is_put_while_it_is_removed_is_whole_or_absent()
    {
        using var lease = Store.Lease();
        var app = LeasedApp();
        var id = Digest.OfSha256(app.ConfigJson.Span);
        for (var i = 0; i < 40; i++)
        {
            await Task.WhenAll(
                Task.Run(() => Store.Images.PutAll([app], out _)),
                Task.Run(() =>
                {
                    try
                    {
                        Store.Images.Remove("app", new RemoveOptions { Force = true });
                    }
                    catch (StoreException e) when (e.Kind == StoreErrorKind.NotFound)
                    {
                        // The put has not come yet.
                    }
                }));
            Assert.Equal(Store.Images.Get(id) is not null, Store.Blobs.Contains(id));
        }
    }

    [Fact]
    public async Task Images_are_listed_while_others_are_removed()
    {
        using var lease = Store.Lease();
        var app = LeasedApp();
        using var over = new CancellationTokenSource();
        var comings = Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                Store.Images.PutAll([app], out _);
                Store.Images.Remove("app", new RemoveOptions { Force = true });
            }
        }, TestContext.Current.CancellationToken);
        try
        {
            for (var i = 0; i < 20_000; i++)
            {
                Assert.InRange(Store.Images.List().Count, 0, 1);
            }
        }
        finally
        {
            await over.CancelAsync();
            await comings;
        }
    }

    [Fact]
    public void A_layer_whose_row_cannot_be_deleted_stays_and_goes_the_next_time()
    {
        var layer = Apply(Tar(Entry("a", size: 3)));
        Image(layer, "app");
        Store.Database.Execute("CREATE TRIGGER full BEFORE DELETE ON layers BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
        Assert.Contains("the disk is full", Assert.ThrowsAny<Exception>(() => Store.Images.Remove("app", new RemoveOptions())).Message);
        Assert.NotNull(Store.Layers.Get(layer.ChainId));
        Assert.True(Directory.Exists(layer.DiffPath));

        // The same layer comes again, and goes when the database is well.
        Image(Apply(Tar(Entry("a", size: 3))), "again");
        Store.Database.Execute("DROP TRIGGER full");
        Store.Images.Remove("again", new RemoveOptions());
        Assert.Empty(Store.Layers.List());
        Assert.Equal(0, LayerDirectories());
    }

    /// <summary>An image of the name "app" whose layer stays while the lease of the moment lasts.</summary>
    private NewImage LeasedApp()
    {
        var layer = Apply(Tar(Entry("a", size: 3)));
        Store.Layers.Get(layer.ChainId);
        return new NewImage(Image(layer, "app").ConfigJson, null, [ImageReference.Parse("app")]);
    }
}
