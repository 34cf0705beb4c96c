using Sampan.Oci;
using Sampan.Store;
using Xunit;
using DataRoot = Sampan.Store.Store;

namespace Sampan.Tests.Unit.Store;

/// <summary>Names, IDs, removal and what keeps what alive.</summary>
public sealed class ImageStoreTests : StoreFixture
{
    private static readonly Func<Digest, IReadOnlyList<ImageUser>> Stopped = _ => [new ImageUser(new string('c', 64), false)];
    private static readonly Func<Digest, IReadOnlyList<ImageUser>> Running = _ => [new ImageUser(new string('c', 64), true)];

    [Fact]
    public void An_image_is_found_by_name_by_id_and_by_the_beginning_of_its_id()
    {
        var image = Image(Apply(Tar(Entry("a"))), "app:1");
        foreach (var name in (string[])["app:1", "docker.io/library/app:1", image.Id.ToString(), image.Id.Hex, image.Id.Hex[..6], "sha256:" + image.Id.Hex[..4]])
        {
            Assert.Equal(image.Id, Store.Images.Resolve(name).Id);
        }

        Assert.Equal("No such image: other:latest", Assert.Throws<StoreException>(() => Store.Images.Resolve("other")).Message);
        Assert.StartsWith("invalid reference format", Assert.Throws<StoreException>(() => Store.Images.Resolve("UPPER")).Message);
    }

    [Fact]
    public void A_beginning_that_two_ids_share_is_an_error()
    {
        var seen = new Dictionary<char, Digest>();
        for (var i = 0; ; i++)
        {
            var id = Image(null, comment: $"{i}").Id;
            if (!seen.TryAdd(id.Hex[0], id))
            {
                Assert.Contains("ambiguous", Assert.Throws<StoreException>(() => Store.Images.Resolve($"{id.Hex[0]}")).Message);
                return;
            }
        }
    }

    [Fact]
    public void A_configuration_keeps_its_bytes_and_members_we_do_not_know()
    {
        var json = """{ "os":"linux", "future":{"x":1}, "architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]} }"""u8.ToArray();
        var image = Store.Images.Put(json);
        Assert.Equal(Digest.OfSha256(json), image.Id);
        Close();
        Assert.Equal(json, Store.Images.Get(image.Id)!.ConfigJson.ToArray());
    }

    [Fact]
    public void Images_names_and_layers_survive_a_restart_and_half_made_layers_do_not()
    {
        var layer = Apply(Tar(Entry("a", size: 5)));
        var image = Image(layer, "app");
        Close();
        var leftover = Path.Combine(Root, "layers", "leftover", "diff");
        Directory.CreateDirectory(leftover);
        var again = Store.Images.Resolve("app");
        Assert.Equal((image.Id, 5L, "app:latest"), (again.Id, again.Size, again.RepoTags[0]));
        Store.Layers.Leftovers.Wait(TestContext.Current.CancellationToken);
        Assert.Equal(1, LayerDirectories());
        Assert.Equal(layer, Store.Layers.Get(layer.ChainId));
    }

    [Fact]
    public void The_last_name_takes_the_image_and_its_layers_along()
    {
        var image = Image(Apply(Tar(Entry("a"))), "app:1");
        Store.Images.Tag(image.Id, ImageReference.Parse("app:2"));
        Assert.Equal([new RemovedImage("app:1", null)], Store.Images.Remove("app:1", new RemoveOptions()));
        var removed = Store.Images.Remove("app:2", new RemoveOptions());
        Assert.Equal([new RemovedImage("app:2", null), new RemovedImage(null, image.Id.ToString()), new RemovedImage(null, image.ChainId.ToString())], removed);
        Assert.Equal(0, LayerDirectories());
        Assert.False(Store.Blobs.Contains(image.Id));
    }

    [Fact]
    public void Conflicts_are_told_in_dockers_words()
    {
        var image = Image(Apply(Tar(Entry("a"))), "app:1");
        var shortId = image.Id.Short;
        Assert.Equal($"conflict: unable to remove repository reference \"app:1\" (must force) - container cccccccccccc is using its referenced image {shortId}",
            Conflict("app:1", new RemoveOptions { Containers = Stopped }));
        Assert.Equal($"conflict: unable to delete {shortId} (must be forced) - image is being used by stopped container cccccccccccc",
            Conflict(shortId, new RemoveOptions { Containers = Stopped }));
        Assert.Equal($"conflict: unable to delete {shortId} (cannot be forced) - image is being used by running container cccccccccccc",
            Conflict(shortId, new RemoveOptions { Containers = Running, Force = true }));
        Store.Images.Tag(image.Id, ImageReference.Parse("other"));
        Assert.Equal($"conflict: unable to delete {shortId} (must be forced) - image is referenced in multiple repositories", Conflict(shortId, new RemoveOptions()));
        Image(Apply(Tar(Entry("b")), image.ChainId), "child", parent: image.Id);
        Assert.Equal($"conflict: unable to delete {shortId} (cannot be forced) - image has dependent child images", Conflict(shortId, new RemoveOptions { Force = true }));
        Assert.Equal(2, Store.Images.List().Count);
    }

    [Fact]
    public void Untagged_parents_go_with_their_last_child_unless_told_otherwise()
    {
        var parent = Image(Apply(Tar(Entry("a"))));
        Image(Apply(Tar(Entry("b")), parent.ChainId), "child", parent: parent.Id);
        Store.Images.Remove("child", new RemoveOptions { NoPrune = true });
        Assert.Single(Store.Images.List());
        Image(Apply(Tar(Entry("b")), parent.ChainId), "child", parent: parent.Id);
        Assert.Contains(new RemovedImage(null, parent.Id.ToString()), Store.Images.Remove("child", new RemoveOptions()));
        Assert.Empty(Store.Images.List());
    }

    [Fact]
    public void A_container_keeps_its_layers_after_a_forced_removal()
    {
        var image = Image(Apply(Tar(Entry("a"))), "app");
        Store.Layers.ContainerRoots = () => [image.ChainId!.Value];
        Store.Images.Remove("app", new RemoveOptions { Force = true, Containers = Stopped });
        Assert.Empty(Store.Images.List());
        Assert.NotNull(Store.Layers.Get(image.ChainId!.Value));
        Store.Layers.ContainerRoots = () => [];
        Store.Layers.Collect();
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void A_lease_keeps_what_is_made_under_it_and_the_last_one_takes_along_what_nothing_refers_to()
    {
        using (Store.Lease())
        {
            using (Store.Lease())
            {
                Apply(Tar(Entry("a")));
            }

            Assert.Empty(Store.Layers.Collect());
            Assert.Equal(1, LayerDirectories());
            Apply(Tar(Entry("b")));
        }

        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void The_build_cache_keeps_layers_over_a_restart_and_gives_them_back_when_pruned()
    {
        var layer = Apply(Tar(Entry("a", size: 7)));
        CacheKeyPart[] parts = [new("parent", "scratch"), new("RUN", "make")];
        var key = BuildCache.KeyOf(parts);
        Store.BuildCache.Put(new CacheEntry { Key = key, Layer = layer.ChainId, State = "{}", Created = DateTimeOffset.UtcNow, Size = 7 });
        Store.Layers.Collect();
        Close();
        var entry = Store.BuildCache.Get(key)!;
        Store.BuildCache.Update([key], []);
        Assert.Equal((layer.ChainId, "{}", 7L), (entry.Layer, entry.State, entry.Size));
        Assert.Equal(1, Store.BuildCache.List()[0].Uses);
        Assert.NotEqual(key, BuildCache.KeyOf([new("parent", "scratchRUN"), new("", "make")]));
        Assert.Single(Store.BuildCache.Prune(_ => true));
        Assert.Equal(0, LayerDirectories());
        Assert.Null(Store.BuildCache.Get(key));
    }

    [Fact]
    public void Documents_are_kept_by_collection()
    {
        var documents = Store.Database.Documents("things");
        documents.Put("b", "{}");
        documents.Put("a", "[1]");
        documents.Put("b", "2");
        Store.Database.Documents("other").Put("a", "0");
        Assert.Throws<InvalidOperationException>(() => Store.Database.Transaction(() =>
        {
            documents.Delete("a");
            throw new InvalidOperationException();
        }));
        Close();
        documents = Store.Database.Documents("things");
        Assert.Equal([new Document("a", "[1]"), new Document("b", "2")], documents.List());
        Assert.True(documents.Delete("a"));
        Assert.False(documents.Delete("a"));
        Assert.Null(documents.Get("a"));
    }

    [Fact]
    public void A_data_root_in_use_or_not_usable_says_so()
    {
        _ = Store;
        var error = Assert.Throws<StoreInUseException>(() => DataRoot.Open(Root));
        Assert.Equal($"data root \"{Root}\" is in use by another daemon (process {Environment.ProcessId})", error.Message);
        System.IO.File.WriteAllText(Path.Combine(Scratch, "file"), "");
        Assert.StartsWith($"data root \"{Scratch}/file/x\" is not usable", Assert.Throws<IOException>(() => DataRoot.Open(Path.Combine(Scratch, "file/x"))).Message);
    }

    [Fact]
    public void On_ext4_the_trees_of_layers_and_tmp_have_groups_of_inodes_of_their_own()
    {
        Assert.SkipUnless(new DriveInfo(Scratch).DriveFormat.StartsWith("ext", StringComparison.Ordinal), "the scratch directory is not on ext4");
        _ = Store;
        foreach (var (name, isSpread) in (ReadOnlySpan<(string, bool)>)[("layers", true), ("tmp", true), ("containers", false)])
        {
            using var lsattr = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("lsattr", ["-d", Path.Combine(Root, name)]) { RedirectStandardOutput = true })!;
            Assert.Equal(isSpread, lsattr.StandardOutput.ReadToEnd().Split(' ')[0].Contains('T', StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_lock_that_only_a_child_of_a_dead_daemon_has_is_waited_for()
    {
        _ = Store;
        Close();
        System.IO.File.WriteAllText(Path.Combine(Root, "lock"), "2147483647\n"); // no process has this number
        using var child = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "/usr/bin/flock", [Path.Combine(Root, "lock"), "sh", "-c", "echo locked; sleep 0.2"])
        { RedirectStandardOutput = true })!;
        Assert.Equal("locked", child.StandardOutput.ReadLine());
        Assert.Equal(Root, Store.DataRoot);
        child.WaitForExit();
    }

    private string Conflict(string name, RemoveOptions options)
    {
        var error = Assert.Throws<StoreException>(() => Store.Images.Remove(name, options));
        Assert.Equal(StoreErrorKind.Conflict, error.Kind);
        return error.Message;
    }
}
