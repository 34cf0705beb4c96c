using System.Text;
using Sampan.Oci;
using Sampan.Registry;
using Sampan.Store;
using Sampan.Tests.Unit.Store;
using Xunit;

namespace Sampan.Tests.Unit.Registry;

/// <summary>Registries that answer garbage, lead in circles or say nothing: a clear error soon, and nothing is left.</summary>
public sealed class HostilePullTests : StoreFixture
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("garbage", "manifest 1")]
    [InlineData("", "manifest 1")]
    [InlineData("null", "manifest 1")]
    [InlineData("[]", "manifest 1")]
    [InlineData("""{"schemaVersion":1}""", "schema 1")]
    [InlineData("""{"schemaVersion":2,"mediaType":"text/html"}""", "neither an image nor an index")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}""", "manifest sha256:")]
    [InlineData("""{"schemaVersion":2,"config":{"mediaType":"","digest":"sha256:x","size":1}}""", "manifest sha256:")]
    [InlineData("""{"schemaVersion":2,"config":{"mediaType":"x/y","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1}}""", "is not an image")]
    [InlineData("""{"schemaVersion":2,"manifests":[{"mediaType":"","digest":"../../etc","size":-1}]}""", "index sha256:")]
    [InlineData("""{"schemaVersion":2,"manifests":[]}""", "no matching manifest")]
    public async Task A_manifest_that_is_none_is_refused(string manifest, string expected)
    {
        using var registry = new FakeRegistry(r => new Answer(r.Path.Contains("/manifests/") ? 200 : 404,
            Encoding.UTF8.GetBytes(manifest)));
        Assert.Contains(expected, (await Refused(registry)).Message);
    }

    [Fact]
    public async Task Json_that_is_nested_deeply_is_refused()
    {
        using var registry = new FakeRegistry(_ => new Answer(200, Encoding.ASCII.GetBytes(new string('[', 100_000))));
        await Refused(registry);
        using var within = new FakeRegistry(_ => new Answer(200, Encoding.ASCII.GetBytes("""{"schemaVersion":2,"manifests":""" + new string('[', 100_000))));
        await Refused(within);
    }

    [Fact]
    public async Task An_index_of_indexes_without_end_is_refused()
    {
        var below = """{"schemaVersion":2,"manifests":[]}""";
        var blobs = new Dictionary<string, string>();
        for (var level = 0; level < 10; level++)
        {
            var digest = Digest.OfSha256(Encoding.UTF8.GetBytes(below));
            blobs[digest.ToString()] = below;
            below = $$"""{"schemaVersion":2,"manifests":[{"mediaType":"{{MediaTypes.OciIndex}}","digest":"{{digest}}","size":1}]}""";
        }

        using var registry = new FakeRegistry(r => new Answer(200,
            Encoding.UTF8.GetBytes(blobs.GetValueOrDefault(r.Path[(r.Path.LastIndexOf('/') + 1)..], below))));
        Assert.Contains("no matching manifest", (await Refused(registry)).Message);
        Assert.True(registry.Requests.Count < 10, "all of it was read");
    }

    [Fact]
    public async Task A_registry_that_says_nothing_is_not_waited_for_for_ever()
    {
        using var silent = new FakeRegistry(_ => new Answer(200, "{"u8.ToArray())
        {
            Headers = { ["Content-Length"] = "1000" },
            Holds = true
        });
        Assert.Equal(RegistryErrorKind.Unavailable, (await Refused(silent)).Kind);
    }

    [Fact]
    public async Task Redirects_between_hosts_end()
    {
        FakeRegistry? other = null;
        using var registry = new FakeRegistry(r => new Answer(302, []) { Headers = { ["Location"] = $"http://{other!.Host}{r.Path}" } });
        using (other = new FakeRegistry(r => new Answer(302, []) { Headers = { ["Location"] = $"http://{registry.Host}{r.Path}" } }))
        {
            Assert.Contains("redirects", (await Refused(registry)).Message);
        }
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://127.0.0.1/")]
    public async Task No_redirect_leads_away_from_http(string target)
    {
        using var registry = new FakeRegistry(_ => new Answer(302, []) { Headers = { ["Location"] = target } });
        Assert.Contains("not followed", (await Refused(registry)).Message);
    }

    [Fact]
    public async Task Tags_without_end_are_refused()
    {
        using var registry = new FakeRegistry(r => new Answer(200, """{"tags":["a"]}"""u8.ToArray()) { Headers = { ["Link"] = $"<{r.Path}>; rel=\"next\"" } });
        using var service = Service();
        var e = await Assert.ThrowsAsync<RegistryException>(() =>
            service.TagsAsync(ImageReference.ParseName($"{registry.Host}/x"), Credentials.None, Cancel));
        Assert.Contains("more than", e.Message);
    }

    [Fact]
    public async Task Random_answers_give_an_error_and_never_an_image()
    {
        var random = new Random(6);
        const string Start = """{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2},"layers":[]}""";
        using var registry = new FakeRegistry(r =>
        {
            lock (random)
            {
                var at = random.Next(Start.Length);
                var text = r.Path.Contains("/manifests/") ? Start[..at] + (char)random.Next(32, 127) + Start[(at + random.Next(2))..]
                    : "{}";
                return new Answer(random.Next(5) == 0 ? random.Next(200, 600) : 200, Encoding.Latin1.GetBytes(text));
            }
        });
        for (var round = 0; round < 100; round++)
        {
            await Refused(registry);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_registry_that_takes_a_layer_and_says_nothing_is_not_waited_for_for_ever(bool isDense)
    {
        // What does not compress stops on the way, as nobody reads it; zeros are all sent, and no answer comes.
        var content = new byte[32 << 20];
        if (isDense)
        {
            new Random(7).NextBytes(content);
        }

        var tar = new System.Buffers.ArrayBufferWriter<byte>();
        TarHeader.Write(tar, Entry("large", size: content.Length));
        System.Buffers.BuffersExtensions.Write(tar, content);
        System.Buffers.BuffersExtensions.Write(tar, TarHeader.End);
        var image = Image(Apply(tar.WrittenSpan.ToArray()), "app");

        using var over = new ManualResetEventSlim();
        using var registry = new FakeRegistry(r =>
        {
            if (r.Method == "PATCH")
            {
                over.Wait();
            }

            return new Answer(r.Method == "POST" ? 202 : r.Path == "/v2/" ? 200 : 404, [])
            {
                Headers = { ["Location"] = "/v2/some/image/blobs/uploads/1" },
            };
        });
        try
        {
            using var service = Service();
            var e = await Assert.ThrowsAsync<RegistryException>(() =>
                service.PushAsync(ImageReference.Parse($"{registry.Host}/some/image:1"), image, Credentials.None, _ => { }, Cancel));
            Assert.Equal(RegistryErrorKind.Unavailable, e.Kind);
            Assert.Contains("no answer within 2 s", e.Message);
        }
        finally
        {
            over.Set();
        }
    }

    private async Task<RegistryException> Refused(FakeRegistry registry)
    {
        using var service = Service();
        var reference = ImageReference.Parse($"{registry.Host}/some/image:1");
        var error = await Assert.ThrowsAsync<RegistryException>(() =>
            service.PullAsync(reference, Platform.Parse("linux/amd64"), Credentials.None, _ => { }, Cancel));
        Assert.DoesNotContain('\n', error.Message);
        Assert.True(error.Message.Length < 2000, "the message is long");
        Assert.Empty(Store.Images.List());
        Assert.Equal(0, LayerDirectories());
        return error;
    }

    private RegistryService Service() => new(new RegistryOptions
    {
        MaxAttempts = 2,
        FirstPause = TimeSpan.FromMilliseconds(1),
        MaxPause = TimeSpan.FromMilliseconds(5),
        AnswerTimeout = TimeSpan.FromSeconds(2),
        StallTimeout = TimeSpan.FromMilliseconds(300),
    }, Store);
}
