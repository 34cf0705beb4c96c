using System.Text;
using Sampan.Oci;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>Image archives made to harm, or damaged at random: an error of one line, and nothing is left.</summary>
public sealed class HostileImageTests : StoreFixture
{
    // Each within a second or so, with what a seed gives: the same on every machine.
    private const int Rounds = 150;

    private readonly byte[] _layer = Tar(Entry("etc/", TarEntryKind.Directory), Entry("etc/file", size: 600));

    private string Config => $$$"""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["{{{Digest.OfSha256(_layer)}}}"]}}""";

    [Fact]
    public void Json_that_is_nested_deeply_is_refused()
    {
        var deep = new string('[', 100_000);
        Refuses("manifest.json", new() { ["manifest.json"] = deep });
        Refuses("index.json", new() { ["index.json"] = $$"""{"schemaVersion":2,"manifests":{{deep}}""" });
        Refuses("repositories", new() { ["repositories"] = $$"""{"a":{{deep}}""" });
        Refuses("image configuration", new()
        {
            ["c.json"] = $$"""{"config":{"Labels":{{string.Concat(Enumerable.Repeat("{\"a\":", 100_000))}}""",
            ["manifest.json"] = """[{"Config":"c.json","Layers":[]}]""",
        });
    }

    [Fact]
    public void A_gigabyte_of_json_is_refused_before_it_is_read()
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        TarHeader.Write(output, Entry("manifest.json", size: 1 << 30));
        System.Buffers.BuffersExtensions.Write(output, Encoding.ASCII.GetBytes(new string(' ', 4096)));
        Assert.Contains("more than the limit", Refused(output.WrittenSpan.ToArray()).Message);
    }

    [Fact]
    public void Many_small_files_are_together_as_limited_as_a_large_one()
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        var content = new byte[15 << 20];
        content.AsSpan().Fill((byte)' ');
        for (var i = 0; i < 9; i++)
        {
            TarHeader.Write(output, Entry($"{i}.json", size: content.Length));
            System.Buffers.BuffersExtensions.Write(output, content);
            System.Buffers.BuffersExtensions.Write(output, TarHeader.Padding(content.Length));
        }

        Assert.Contains("together", Refused(output.WrittenSpan.ToArray()).Message);
    }

    [Fact]
    public void An_index_that_grows_without_end_is_refused()
    {
        // Each level lists the one below it a hundred times: a hundred million manifests in a few kilobytes.
        var files = new Dictionary<string, string>();
        var below = Blob([], "{}", MediaTypes.OciManifest);
        for (var level = 0; level < 4; level++)
        {
            below = Blob(files, Index(Enumerable.Repeat(below, 100)), MediaTypes.OciIndex);
        }

        files["index.json"] = Index([below]);
        Refuses("lists more than", files);
    }

    [Fact]
    public void An_index_within_an_index_within_an_index_ends()
    {
        var files = new Dictionary<string, string>();
        var below = Blob(files, "{}", MediaTypes.OciManifest);
        for (var level = 0; level < 10; level++)
        {
            below = Blob(files, Index([below]), MediaTypes.OciIndex);
        }

        files["index.json"] = Index([below]);
        Refuses("nests deeper than", files);
    }

    [Fact]
    public void Links_that_lead_to_each_other_end()
    {
        var archive = Tar(Entry("manifest.json", TarEntryKind.Symlink, "a"), Entry("a", TarEntryKind.Symlink, "manifest.json"));
        Assert.Contains("not an image archive", Refused(archive).Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Many_links_with_long_names_are_refused_before_they_fill_the_memory(bool isSymbolic)
    {
        var kind = isSymbolic ? TarEntryKind.Symlink : TarEntryKind.HardLink;
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        for (var i = 0; i < 1200; i++)
        {
            TarHeader.Write(output, Entry($"{i}", kind, new string('a', 60_000)));
            TarHeader.Write(output, Entry($"{i}/{new string('b', 60_000)}", kind, "a"));
        }

        Assert.Contains("together", Refused(output.WrittenSpan.ToArray()).Message);
    }

    [Theory]
    [InlineData("""{"a":{"b":"1"}}""", "no \"1/json\"")]
    [InlineData("""{"a":{"b":"../../etc"}}""", "no \"../../etc/json\"")]
    [InlineData("""{"a":{"b":null}}""", "")]
    [InlineData("""{"a":null}""", "")]
    [InlineData("""{"Bad Name":{"b":"own"}}""", "")]
    [InlineData("""{"a":{"b":"own"}}""", "more than 1024 parents")]
    [InlineData("""{"a":{"b":"bare"}}""", "no layer")]
    public void Repositories_that_lead_nowhere_are_refused(string repositories, string expected) => Refuses(expected, new()
    {
        ["own/json"] = """{"parent":"own"}""",
        ["own/layer.tar"] = Encoding.Latin1.GetString(_layer),
        ["bare/json"] = "{}",
        ["repositories"] = repositories,
    });

    [Theory]
    [InlineData("docker")]
    [InlineData("oci")]
    [InlineData("repositories")]
    public void Random_damage_to_an_archive_is_told_or_does_not_matter(string kind)
    {
        var archive = Archive(Whole(kind));
        Load(archive);
        foreach (var image in Store.Images.List())
        {
            Store.Images.Remove(image.Id.ToString(), new RemoveOptions { Force = true });
        }

        var random = new Random(4);
        for (var round = 0; round < Rounds; round++)
        {
            Try(Damaged(archive, random));
        }
    }

    [Theory]
    [InlineData("docker")]
    [InlineData("oci")]
    [InlineData("repositories")]
    public void Random_changes_to_its_texts_are_told_or_do_not_matter(string kind)
    {
        var random = new Random(5);
        for (var round = 0; round < Rounds; round++)
        {
            var files = Whole(kind);
            var name = files.Keys.Where(k => !k.EndsWith(".tar", StringComparison.Ordinal))
                .ElementAt(random.Next(files.Count(f => !f.Key.EndsWith(".tar", StringComparison.Ordinal))));
            files[name] = Changed(files[name], random);
            Try(Archive(files));
        }
    }

    private void Try(byte[] archive)
    {
        try
        {
            Load(archive);
        }
        catch (StoreException e)
        {
            Assert.DoesNotContain('\n', e.Message);
            Assert.Empty(Store.Images.List());
            Assert.Equal(0, LayerDirectories());
        }

        foreach (var image in Store.Images.List())
        {
            Store.Images.Remove(image.Id.ToString(), new RemoveOptions { Force = true });
        }
    }

    private static byte[] Damaged(byte[] archive, Random random)
    {
        var damaged = (byte[])archive.Clone();
        for (var i = random.Next(1, 20); i > 0; i--)
        {
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
        }

        return random.Next(4) == 0 ? damaged[..random.Next(damaged.Length)] : damaged;
    }

    private static string Changed(string text, Random random)
    {
        var at = random.Next(text.Length);
        var length = random.Next(Math.Min(30, text.Length - at));
        string[] pieces = ["", "null", "{}", "[]", "\"\"", "-1", "1e999", ",", "\\u0000", "\"a\":", new string('9', 40),
            text.Substring(at, length) + text.Substring(at, length)];
        return text[..at] + pieces[random.Next(pieces.Length)] + text[(at + length)..];
    }

    private Dictionary<string, string> Whole(string kind)
    {
        var layer = Encoding.Latin1.GetString(_layer);
        if (kind == "docker")
        {
            return new()
            {
                ["c.json"] = Config,
                ["l.tar"] = layer,
                ["manifest.json"] = """[{"Config":"c.json","RepoTags":["app:1"],"Layers":["l.tar"]}]""",
            };
        }

        if (kind == "repositories")
        {
            return new()
            {
                ["low/json"] = """{"id":"low","created":"2014-01-02T03:04:05Z","container_config":{"Cmd":["x"]}}""",
                ["low/layer.tar"] = layer,
                ["top/json"] = """{"id":"top","parent":"low","created":"2014-01-02T03:04:05Z","config":{"Cmd":["x"]},"os":"linux"}""",
                ["top/layer.tar"] = layer,
                ["repositories"] = """{"app":{"1":"top"}}""",
            };
        }

        var files = new Dictionary<string, string>();
        var manifest = $$"""{"schemaVersion":2,"config":{{Blob(files, Config, MediaTypes.OciConfig)}},"layers":[{{Blob(files, layer, MediaTypes.OciLayer)}}]}""";
        files["index.json"] = Index([Blob(files, Index([Blob(files, manifest, MediaTypes.OciManifest)]), MediaTypes.OciIndex)]);
        return files;
    }

    private static string Index(IEnumerable<string> descriptors) => $$"""{"schemaVersion":2,"manifests":[{{string.Join(',', descriptors)}}]}""";

    /// <summary>Adds a blob and gives its descriptor.</summary>
    private static string Blob(Dictionary<string, string> files, string content, string type)
    {
        var digest = Digest.OfSha256(Encoding.Latin1.GetBytes(content));
        files[$"blobs/sha256/{digest.Hex}"] = content;
        return $$"""{"mediaType":"{{type}}","digest":"{{digest}}","size":{{content.Length}}}""";
    }

    private static byte[] Archive(Dictionary<string, string> files)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        foreach (var (name, content) in files)
        {
            TarHeader.Write(output, Entry(name, size: content.Length));
            System.Buffers.BuffersExtensions.Write(output, Encoding.Latin1.GetBytes(content));
            System.Buffers.BuffersExtensions.Write(output, TarHeader.Padding(content.Length));
        }

        System.Buffers.BuffersExtensions.Write(output, TarHeader.End);
        return output.WrittenSpan.ToArray();
    }

    private void Refuses(string expected, Dictionary<string, string> files) => Assert.Contains(expected, Refused(Archive(files)).Message);

    private StoreException Refused(byte[] archive)
    {
        var error = Assert.ThrowsAny<StoreException>(() => Load(archive));
        Assert.DoesNotContain('\n', error.Message);
        Assert.True(error.Message.Length < 1000, "the message is long");
        Assert.Empty(Store.Images.List());
        Assert.Equal(0, LayerDirectories());
        return error;
    }

    private void Load(byte[] archive) =>
        Store.Images.LoadAsync(new MemoryStream(archive), new LoadOptions(), TestContext.Current.CancellationToken).GetAwaiter()
        .GetResult();
}
