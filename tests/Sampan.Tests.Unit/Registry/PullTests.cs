using System.IO.Compression;
using System.Text.Json;
using Sampan.Oci;
using Sampan.Registry;
using Sampan.Tests.Unit.Store;
using Xunit;

namespace Sampan.Tests.Unit.Registry;

/// <summary>A pull from a registry that behaves, and from such as do not: a clear error, and nothing left.</summary>
public sealed class PullTests : StoreFixture
{
    private const string Repository = "/v2/some/image/";

    private readonly byte[] _tar;
    private readonly byte[] _layer;
    private readonly byte[] _config;
    private readonly byte[] _manifest;

    public PullTests()
    {
        _tar = Tar(Entry("file"), Entry("other"));
        _layer = Gzip(_tar);
        _config = ImageJson.Serialize(new ImageConfig { Architecture = "amd64", Os = "linux", RootFs = new RootFs { DiffIds = [Digest.OfSha256(_tar)] } });
        _manifest = Json(new Manifest
        {
            Config = Described(_config, MediaTypes.OciConfig),
            Layers = [Described(_layer, MediaTypes.OciLayerGzip)],
        });
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pulled_image_has_its_tag_its_digest_and_its_layer()
    {
        using var registry = new FakeRegistry(Serve);
        var said = new List<TransferMessage>();
        var (isNew, image) = await Pull(registry, said);
        Assert.True(isNew);
        Assert.Equal(Digest.OfSha256(_config), image.Id);
        Assert.Equal([$"{registry.Host}/some/image:1"], image.RepoTags);
        Assert.Equal([$"{registry.Host}/some/image@{Digest.OfSha256(_manifest)}"], image.RepoDigests);
        Assert.NotNull(Store.Layers.Get(image.ChainId!.Value));
        Assert.Equal("Pulling from some/image", said[0].Status);
        Assert.Contains(said, m => m.Status == "Pull complete" && m.Id == Digest.OfSha256(_layer).Short);
        Assert.Equal($"Digest: {Digest.OfSha256(_manifest)}", said[^1].Status);

        said.Clear();
        Assert.False((await Pull(registry, said)).IsNew);
        Assert.DoesNotContain(said, m => m.IsItem);
        Assert.Single(registry.Requests, r => r.Path.EndsWith(Digest.OfSha256(_layer).ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_layer_with_another_digest_is_named_and_nothing_is_left()
    {
        var wrong = (byte[])_layer.Clone();
        wrong[^9] ^= 1;
        using var registry = new FakeRegistry(r => IsLayer(r) ? new Answer(200, wrong) : Serve(r));
        var e = await Assert.ThrowsAsync<RegistryException>(() => Pull(registry));
        Assert.Equal(RegistryErrorKind.Mismatch, e.Kind);
        Assert.Contains(Digest.OfSha256(_layer).ToString(), e.Message);
        Assert.Equal(0, LayerDirectories());
        Assert.Empty(Store.Images.List());
    }

    [Fact]
    public async Task A_download_that_breaks_off_is_taken_up_where_it_broke()
    {
        var broken = 0;
        using var registry = new FakeRegistry(r =>
        {
            if (!IsLayer(r))
            {
                return Serve(r);
            }

            if (Interlocked.Increment(ref broken) == 1)
            {
                return new Answer(200, _layer[..10]) { Headers = { ["Content-Length"] = $"{_layer.Length}" } };
            }

            Assert.Equal("bytes=10-", r.Headers["Range"]);
            return new Answer(206, _layer[10..]) { Headers = { ["Content-Range"] = $"bytes 10-{_layer.Length - 1}/{_layer.Length}" } };
        });
        await Pull(registry);
        Assert.Equal(2, broken);
    }

    [Fact]
    public async Task A_body_longer_than_its_descriptor_is_refused()
    {
        using var registry = new FakeRegistry(r => IsLayer(r) ? new Answer(200, [.. _layer, .. new byte[1000]]) : Serve(r));
        Assert.Contains("sends more than", (await Assert.ThrowsAsync<RegistryException>(() => Pull(registry))).Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public async Task A_busy_registry_is_asked_again_and_a_broken_one_not_for_ever()
    {
        var asked = 0;
        using var busy = new FakeRegistry(r => Interlocked.Increment(ref asked) == 2 ? new Answer(429, []) { Headers = { ["Retry-After"] = "0" } } : Serve(r));
        await Pull(busy);
        using var broken = new FakeRegistry(_ => new Answer(503, []));
        Assert.Equal(RegistryErrorKind.Unavailable, (await Assert.ThrowsAsync<RegistryException>(() => Pull(broken))).Kind);
        Assert.Equal(3, broken.Requests.Count);
    }

    [Fact]
    public async Task Redirects_end()
    {
        using var registry = new FakeRegistry(r => new Answer(307, []) { Headers = { ["Location"] = r.Path } });
        Assert.Contains("redirects", (await Assert.ThrowsAsync<RegistryException>(() => Pull(registry))).Message);
    }

    [Fact]
    public async Task A_giant_manifest_is_not_read()
    {
        using var registry = new FakeRegistry(_ => new Answer(200, new byte[5 << 20]));
        Assert.Contains("more than the limit", (await Assert.ThrowsAsync<RegistryException>(() => Pull(registry))).Message);
    }

    [Fact]
    public async Task A_token_is_fetched_with_the_users_name_and_sent_with_every_request()
    {
        using var tokens = new FakeRegistry(_ => new Answer(200, """{"token":"t0","expires_in":300}"""u8.ToArray()));
        using var registry = new FakeRegistry(r => r.Headers.GetValueOrDefault("Authorization") == "Bearer t0" ? Serve(r) : new Answer(401, [])
        {
            Headers = { ["WWW-Authenticate"] = $"Bearer realm=\"http://{tokens.Host}/token\",service=\"reg\",scope=\"repository:some/image:pull\"" },
        });
        await Pull(registry, credentials: new Credentials { Username = "me", Password = "pw" });
        var request = Assert.Single(tokens.Requests);
        Assert.Contains("service=reg", request.Path);
        Assert.Contains("scope=repository%3Asome%2Fimage%3Apull", request.Path);
        Assert.Equal("Basic " + Convert.ToBase64String("me:pw"u8), request.Headers["Authorization"]);
    }

    [Theory]
    [InlineData("Basic", "me", "")]
    [InlineData("Bearer", "", "given")]
    public async Task Requests_refused_side_by_side_all_get_the_users_password(string scheme, string user, string token)
    {
        var options = new RegistryOptions();
        var endpoints = new EndpointTable(options);
        using var clients = new HttpClients(options, endpoints);
        var authorizer = new Authorizer(clients, endpoints, options, new Credentials { Username = user, Password = "pw", RegistryToken = token });
        authorizer.Want("repository:some/image:pull,push");
        var challenge = new Challenge(scheme == "Bearer", new Dictionary<string, string>());
        var (registry, cancel) = (new Uri("http://registry.test"), TestContext.Current.CancellationToken);
        Assert.True(await authorizer.AnswerAsync(challenge, sent: null, registry, cancel));
        Assert.True(await authorizer.AnswerAsync(challenge, sent: null, registry, cancel));
        var sent = await authorizer.HeaderAsync(cancel);
        Assert.Equal(scheme, sent?.Scheme);
        Assert.False(await authorizer.AnswerAsync(challenge, sent, registry, cancel));
    }

    private Answer Serve(Request request)
    {
        if (request.Path == Repository + "manifests/1")
        {
            return new Answer(200, _manifest) { Headers = { ["Content-Type"] = MediaTypes.OciManifest } };
        }

        var blob = new[] { _config, _layer }.FirstOrDefault(b => request.Path == $"{Repository}blobs/{Digest.OfSha256(b)}");
        return blob is null ? new Answer(404, """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"""u8.ToArray()) : new Answer(200, blob);
    }

    private bool IsLayer(Request request) => request.Path == $"{Repository}blobs/{Digest.OfSha256(_layer)}";

    private async Task<(bool IsNew, Sampan.Store.ImageRecord Image)> Pull(FakeRegistry registry, List<TransferMessage>? said = null, Credentials? credentials = null)
    {
        using var service = new RegistryService(new RegistryOptions { MaxAttempts = 3, FirstPause = TimeSpan.FromMilliseconds(1), Proxies = new ProxySettings("", "", "") }, Store);
        void Report(TransferMessage message)
        {
            lock (service)
            {
                said?.Add(message);
            }
        }

        return await service.PullAsync(ImageReference.Parse($"{registry.Host}/some/image:1"), Platform.Parse("linux/amd64"), credentials ?? Credentials.None, Report, Cancel);
    }

    private static Descriptor Described(byte[] content, string type) => new() { MediaType = type, Digest = Digest.OfSha256(content), Size = content.Length };

    private static byte[] Json(Manifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, ImageJson.Compact.Manifest);

    private static byte[] Gzip(byte[] content)
    {
        var output = new MemoryStream();
        using (var gzip = new GZipStream(output, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(content);
        }

        return output.ToArray();
    }
}
