using System.Text;
using Sampan.Oci;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary><c>save</c>, <c>load</c> and <c>import</c>.</summary>
public sealed class ImageArchiveTests : StoreFixture
{
    [Fact]
    public void What_is_saved_and_loaded_and_saved_is_equal_to_the_byte()
    {
        var low = Apply(Tar(Entry("base", size: 100_000)));
        Image(Apply(Tar(Entry("etc/x", size: 5)), low.ChainId), "app:1");
        var second = Image(Apply(Tar(Entry("y")), low.ChainId), "app:2");
        Store.Images.Tag(second.Id, ImageReference.Parse("registry.example:5000/team/app:3"));
        var saved = Save("app", "registry.example:5000/team/app:3");
        Assert.Equal(saved, Save("app", "registry.example:5000/team/app:3"));

        Close();
        TreeDelete();
        var result = Load(saved);
        Assert.Equal(["app:1", "app:2", "registry.example:5000/team/app:3"], result.Tags);
        Assert.Equal(3, LayerDirectories());
        Assert.Equal(saved, Save("app", "registry.example:5000/team/app:3"));
        Assert.Equal(second.Id, Store.Images.Resolve("app:2").Id);

        // Again into a store that has it: nothing new is unpacked.
        Load(saved);
        Assert.Equal(3, LayerDirectories());
    }

    [Theory]
    [InlineData("cat")]
    [InlineData("gzip")]
    [InlineData("xz")]
    [InlineData("zstd")]
    public void Old_archives_with_folders_links_and_compressed_layers_are_loaded(string tool)
    {
        System.IO.File.WriteAllBytes(Path.Combine(Scratch, "l1.tar"), Tar(Entry("etc/", TarEntryKind.Directory), Entry("etc/a", size: 3)));
        var diffId = Digest.OfSha256(System.IO.File.ReadAllBytes(Path.Combine(Scratch, "l1.tar")));
        var config = $$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{diffId}}}","{{{diffId}}}"]}}""";
        Sh($$"""
            cd "$1"; mkdir -p i/one i/two; {{tool}} < l1.tar > i/one/layer.tar; ln -s ../one/layer.tar i/two/layer.tar; echo 1.0 > i/one/VERSION; echo '{}' > i/one/json
            printf '%s' '{{config}}' > i/{{Digest.OfSha256(Encoding.UTF8.GetBytes(config)).Hex}}.json
            echo '[{"Config":"{{Digest.OfSha256(Encoding.UTF8.GetBytes(config)).Hex}}.json","RepoTags":["old:1"],"Layers":["one/layer.tar","two/layer.tar"]}]' > i/manifest.json
            tar -C i -czf i.tgz .
            """, Scratch);
        Assert.Equal(["old:1"], Load(System.IO.File.ReadAllBytes(Path.Combine(Scratch, "i.tgz"))).Tags);
        Assert.Equal(2, Store.Layers.Stack(Store.Images.Resolve("old:1").ChainId!.Value).Count);
    }

    [Fact]
    public void An_oci_layout_is_loaded_with_compressed_layers_and_a_nested_index()
    {
        var layer = Tar(Entry("a", size: 9));
        System.IO.File.WriteAllBytes(Path.Combine(Scratch, "l.tar"), layer);
        Sh("cd \"$1\"; gzip -n l.tar", Scratch);
        var packed = System.IO.File.ReadAllBytes(Path.Combine(Scratch, "l.tar.gz"));
        var blobs = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        string Blob(byte[] content)
        {
            blobs[$"blobs/sha256/{Digest.OfSha256(content).Hex}"] = content;
            return $$"""{"mediaType":"{0}","digest":"{{Digest.OfSha256(content)}}","size":{{content.Length}}""";
        }

        var config = Blob(Encoding.UTF8.GetBytes($$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Digest.OfSha256(layer)}}}"]}}""")).Replace("{0}", MediaTypes.OciConfig) + "}";
        var manifest = Blob(Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"config":{{config}},"layers":[{{Blob(packed).Replace("{0}", MediaTypes.OciLayerGzip)}}}]}""")).Replace("{0}", MediaTypes.OciManifest) + "}";
        var missing = $$"""{"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{Digest.OfSha256("x"u8)}}","size":1}""";
        var index = Blob(Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"manifests":[{{missing}},{{manifest}}]}""")).Replace("{0}", MediaTypes.OciIndex);
        blobs["index.json"] = Encoding.UTF8.GetBytes($$$"""{"schemaVersion":2,"manifests":[{{{index}}},"annotations":{"io.containerd.image.name":"docker.io/library/oci:1"}}]}""");
        Assert.Equal(["oci:1"], Load(Archive(blobs)).Tags);

        blobs[$"blobs/sha256/{Digest.OfSha256(packed).Hex}"][9] ^= 1;
        Close();
        TreeDelete();
        Assert.Throws<StoreException>(() => Load(Archive(blobs)));
        Assert.Equal(0, LayerDirectories());
    }

    [Theory]
    [InlineData("""[{"Config":"c.json","RepoTags":null,"Layers":["l.tar"]}]""", "has diff ID")]
    [InlineData("""[{"Config":"c.json","RepoTags":null,"Layers":[]}]""", "has 0 layers")]
    [InlineData("""[{"Config":"c.json","RepoTags":null,"Layers":["missing.tar"]}]""", "no layer \"missing.tar\"")]
    [InlineData("""[{"Config":"missing.json","Layers":["l.tar"]}]""", "no \"missing.json\"")]
    [InlineData("""[{"Config":"c.json","RepoTags":["Bad:x"],"Layers":["l.tar"]}]""", "invalid tag \"Bad:x\"")]
    [InlineData("[[[", "manifest.json: ")]
    [InlineData(null, "not an image archive")]
    public void An_archive_that_is_not_whole_leaves_nothing(string? manifest, string expected)
    {
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["c.json"] = Encoding.UTF8.GetBytes($$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Digest.OfSha256("other"u8)}}}"]}}"""),
            ["l.tar"] = Tar(Entry("a")),
        };
        if (manifest is not null)
        {
            files["manifest.json"] = Encoding.UTF8.GetBytes(manifest);
        }

        var error = Assert.ThrowsAny<StoreException>(() => Load(Archive(files)));
        Assert.Contains(expected, error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Empty(Store.Images.List());
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void Garbage_and_truncation_are_one_line()
    {
        Assert.Contains("not a tar header", Assert.ThrowsAny<StoreException>(() => Load(Encoding.UTF8.GetBytes(new string('x', 2000)))).Message);
        Image(Apply(Tar(Entry("a", size: 50_000))), "app");
        var saved = Save("app");
        Store.Images.Remove("app", new RemoveOptions());
        foreach (var length in (int[])[0, 100, 2000, 20_000, 52_000])
        {
            Assert.ThrowsAny<StoreException>(() => Load(saved[..length]));
            Assert.Equal(0, LayerDirectories());
        }
    }

    [Fact]
    public void Import_makes_an_image_of_one_layer()
    {
        var tar = Tar(Entry("bin/sh", size: 5));
        var image = Store.Images.ImportAsync(new MemoryStream(tar), new ImportOptions
        {
            Reference = ImageReference.Parse("base"),
            Message = "first",
            Platform = Platform.Parse("linux/arm64"),
            Created = DateTimeOffset.UnixEpoch,
            Config = new ImageRuntimeConfig { Cmd = ["sh"] },
        }, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        Assert.Equal(image.Id, Store.Images.Resolve("base").Id);
        Assert.Equal($$$"""{"architecture":"arm64","comment":"first","config":{"Cmd":["sh"]},"created":"1970-01-01T00:00:00Z","history":[{"created":"1970-01-01T00:00:00Z","comment":"first"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Digest.OfSha256(tar)}}}"]}}""",
            Encoding.UTF8.GetString(image.ConfigJson.Span));
    }

    [Fact]
    public void A_tree_goes_through_a_tar_and_back_and_symlinks_do_not_lead_out()
    {
        Sh("""
            cd "$1"; mkdir -p from/a/b to/real outside; echo hi > from/a/f; ln from/a/f from/a/g; ln -s /etc from/a/l; chmod 2750 from/a/b; touch -d '2001-01-01 01:01:01.25' from/a/f
            ln -s /real to/link; ln -s "$1/outside" to/out; mkdir -p "to/$1/outside"
            """, Scratch);
        var cancel = TestContext.Current.CancellationToken;
        var output = new MemoryStream();
        TarTree.WriteAsync(Path.Combine(Scratch, "from"), "/a", output, new TarTreeOptions { Rename = "renamed" }, cancel).GetAwaiter().GetResult();
        output.Position = 0;
        TarTree.ExtractAsync(output, Path.Combine(Scratch, "to"), "/link", new ExtractOptions(), cancel).GetAwaiter().GetResult();
        var list = "cd \"$1\"; find . -printf '%P %y %#m %n %l %T@\\n' | sort";
        Assert.Equal(Sh(list, Path.Combine(Scratch, "from/a")), Sh(list, Path.Combine(Scratch, "to/real/renamed")));

        TarTree.ExtractAsync(new MemoryStream(Tar(Entry("x"))), Path.Combine(Scratch, "to"), "/out", new ExtractOptions { Owner = (7, 8) }, cancel).GetAwaiter().GetResult();
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Scratch, "outside")));
        Assert.Throws<StoreException>(() => TarTree.WriteAsync(Scratch, "/none", output, new TarTreeOptions(), cancel).GetAwaiter().GetResult());
        Assert.Contains("cannot overwrite directory", Assert.Throws<TarException>(() =>
            TarTree.ExtractAsync(new MemoryStream(Tar(Entry("real"))), Path.Combine(Scratch, "to"), "/", new ExtractOptions { NoOverwriteDirNonDir = true }, cancel).GetAwaiter().GetResult()).Message);
    }

    private static byte[] Archive(SortedDictionary<string, byte[]> files)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        foreach (var (name, content) in files)
        {
            TarHeader.Write(output, Entry(name, size: content.Length));
            System.Buffers.BuffersExtensions.Write(output, content);
            System.Buffers.BuffersExtensions.Write(output, TarHeader.Padding(content.Length));
        }

        System.Buffers.BuffersExtensions.Write(output, TarHeader.End);
        return output.WrittenSpan.ToArray();
    }

    private void TreeDelete() => TreeRemover.Remove(Root);

    private byte[] Save(params string[] names)
    {
        var output = new MemoryStream();
        Store.Images.SaveAsync(names, output, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        return output.ToArray();
    }

    private LoadResult Load(byte[] archive) =>
        Store.Images.LoadAsync(new MemoryStream(archive), new LoadOptions(), TestContext.Current.CancellationToken).GetAwaiter().GetResult();
}
