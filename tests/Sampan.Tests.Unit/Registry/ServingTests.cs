using System.Net;
using System.Text;
using System.Text.Json;
using Sampan.Oci;
using Sampan.Registry;
using Sampan.Registry.Serving;
using Sampan.Store;
using Sampan.Tests.Unit.Store;
using Xunit;

namespace Sampan.Tests.Unit.Registry;

/// <summary>The distribution-spec's conformance behaviours (pull, push, content discovery, content management), as a checklist.</summary>
public sealed class ServingTests : StoreFixture
{
    private const string OciManifest = "application/vnd.oci.image.manifest.v1+json";

    private readonly RegistryServer _server;
    private readonly ServedContent _content;
    private readonly Clock _clock = new();

    public ServingTests()
    {
        _content = new ServedContent(Store, _clock);
        Store.Images.KeptBlobs = _content.Keep;
        _server = new RegistryServer(Store, _content, new RegistryOptions(), null);
    }

    [Fact]
    public async Task A_manifest_that_is_pushed_while_it_is_deleted_is_whole_or_absent()
    {
        var content = "{}"u8.ToArray();
        var digest = Digest.OfSha256(content);
        var manifest = new ServedManifest(OciManifest, content.Length, null, null, null, []);
        var cancel = TestContext.Current.CancellationToken;
        for (var i = 0; i < 300; i++)
        {
            await Task.WhenAll(
                Task.Run(() => _content.PutManifest("app", digest, content, manifest, null), cancel),
                Task.Run(() => _content.DeleteManifest("app", digest), cancel));
            Assert.Equal(_content.Manifest("app", digest) is not null, Store.Blobs.Contains(digest));
        }
    }

    [Fact]
    public async Task Prune_takes_what_no_tag_leads_to_once_it_is_old()
    {
        async Task<string> Push(string blob, string reference, string more = "")
        {
            var config = Encoding.UTF8.GetBytes(blob);
            await Send("POST", $"/v2/app/blobs/uploads/?digest={Digest.OfSha256(config)}", config);
            var manifest = $$$"""{"schemaVersion":2,"mediaType":"{{{OciManifest}}}","config":{"mediaType":"a/b","digest":"{{{Digest.OfSha256(config)}}}","size":{{{config.Length}}}},"layers":[]{{{more}}}}""";
            var digest = Digest.OfSha256(Encoding.UTF8.GetBytes(manifest)).ToString();
            var put = await Send("PUT", $"/v2/app/manifests/{(reference.Length > 0 ? reference : digest)}", Encoding.UTF8.GetBytes(manifest), ("Content-Type", OciManifest));
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
            return digest;
        }

        var tagged = await Push("tagged", "1");
        var attached = await Push("attached", "", $$$""","subject":{"mediaType":"{{{OciManifest}}}","digest":"{{{tagged}}}","size":1}""");
        var child = await Push("child", "");
        var index = Encoding.UTF8.GetBytes($$$"""{"schemaVersion":2,"mediaType":"{{{MediaTypes.OciIndex}}}","manifests":[{"mediaType":"{{{OciManifest}}}","digest":"{{{child}}}","size":1}]}""");
        Assert.Equal(HttpStatusCode.Created, (await Send("PUT", "/v2/app/manifests/both", index, ("Content-Type", MediaTypes.OciIndex))).StatusCode);
        var replaced = await Push("replaced", "2");
        await Push("replacing", "2");
        Assert.Equal(0, _content.Prune());

        _clock.Now += TimeSpan.FromDays(2);
        Assert.True(_content.Prune() > "replaced".Length, "bytes that were freed");
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", $"/v2/app/manifests/{replaced}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", $"/v2/app/blobs/{Digest.OfSha256("replaced"u8)}")).StatusCode);
        foreach (var kept in (string[])[tagged, attached, child, "both", "2"])
        {
            Assert.Equal((kept, HttpStatusCode.OK), (kept, (await Send("GET", $"/v2/app/manifests/{kept}")).StatusCode));
        }

        foreach (var tag in (string[])["1", "2", "both"])
        {
            Assert.Equal(HttpStatusCode.Accepted, (await Send("DELETE", $"/v2/app/manifests/{tag}")).StatusCode);
        }

        _content.Prune();
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Store.Blobs.PathOf(Digest.OfSha256("x"u8)))!));
    }

    [Fact]
    public async Task Only_users_of_the_htpasswd_get_in()
    {
        var access = new BasicAccess($"# users\n\nann:{Hash}\n", Sampan.Linux.PasswordHash.Verify);
        using var server = new RegistryServer(Store, _content, new RegistryOptions(), null, access);
        async Task<HttpStatusCode> Ask(string? credentials)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, "http://registry/v2/");
            request.Headers.Authorization = credentials is null ? null : new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
            return (await server.AnswerAsync(request, CancellationToken.None)).StatusCode;
        }

        foreach (var wrong in (string?[])[null, "", "ann", "ann:", "ann:Secret", "bob:secret", ":secret", "ann:secret\0"])
        {
            Assert.Equal((wrong, HttpStatusCode.Unauthorized), (wrong, await Ask(wrong)));
        }

        Assert.Equal(HttpStatusCode.OK, await Ask("ann:secret"));
        Assert.Equal(HttpStatusCode.OK, await Ask("ann:secret"));
        Assert.Contains("line 2", Assert.Throws<FormatException>(() => new BasicAccess("\nann:{SHA}abc", (_, _) => true)).Message);
        Assert.Throws<FormatException>(() => new BasicAccess("# nobody", (_, _) => true));
    }

    private const string Hash = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    [Fact]
    public async Task End_1_the_base_path_answers() => Assert.Equal(HttpStatusCode.OK, (await Send("GET", "/v2/")).StatusCode);

    [Fact]
    public async Task Pull_of_what_is_not_there_gives_404_with_the_specs_error_codes()
    {
        var digest = Digest.OfSha256("absent"u8);
        foreach (var (path, code) in new[]
        {
            ($"/v2/a/b/blobs/{digest}", "BLOB_UNKNOWN"), ("/v2/a/b/manifests/latest", "MANIFEST_UNKNOWN"), ($"/v2/a/b/manifests/{digest}", "MANIFEST_UNKNOWN"),
            ("/v2/a/b/tags/list", "NAME_UNKNOWN"), ("/v2/a/b/blobs/uploads/none", "BLOB_UPLOAD_UNKNOWN"),
        })
        {
            var answer = await Send("GET", path);
            Assert.Equal((path, HttpStatusCode.NotFound), (path, answer.StatusCode));
            using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            Assert.Equal(code, json.RootElement.GetProperty("errors")[0].GetProperty("code").GetString());
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await Send("GET", "/v2/UPPER/manifests/latest")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await Send("GET", "/v2/a/blobs/sha256:short")).StatusCode);
    }

    [Fact]
    public async Task Push_of_a_blob_at_once_by_post_then_put_and_by_post_alone()
    {
        var blob = Encoding.UTF8.GetBytes("a blob");
        var digest = Digest.OfSha256(blob);
        var begun = await Send("POST", "/v2/app/blobs/uploads/");
        Assert.Equal(HttpStatusCode.Accepted, begun.StatusCode);
        var done = await Send("PUT", $"{begun.Headers.Location}?digest={Uri.EscapeDataString(digest.ToString())}", blob);
        Assert.Equal((HttpStatusCode.Created, $"/v2/app/blobs/{digest}"), (done.StatusCode, done.Headers.Location!.ToString()));
        Assert.Equal(HttpStatusCode.Created, (await Send("POST", $"/v2/other/blobs/uploads/?digest={digest}", blob)).StatusCode);
        foreach (var name in (string[])["app", "other"])
        {
            var got = await Send("GET", $"/v2/{name}/blobs/{digest}");
            Assert.Equal("a blob", await got.Content.ReadAsStringAsync());
            Assert.Equal(digest.ToString(), got.Headers.GetValues("Docker-Content-Digest").Single());
            Assert.Equal(6, (await Send("HEAD", $"/v2/{name}/blobs/{digest}")).Content.Headers.ContentLength);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", $"/v2/third/blobs/{digest}")).StatusCode);
    }

    [Fact]
    public async Task Push_in_chunks_goes_in_order_tells_how_far_it_is_and_can_be_given_up()
    {
        var digest = Digest.OfSha256("onetwothree"u8);
        var location = (await Send("POST", "/v2/app/blobs/uploads/")).Headers.Location!.ToString();
        var first = await Send("PATCH", location, "one"u8.ToArray(), ("Content-Range", "0-2"));
        Assert.Equal((HttpStatusCode.Accepted, "0-2"), (first.StatusCode, first.Headers.GetValues("Range").Single()));
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await Send("PATCH", location, "three"u8.ToArray(), ("Content-Range", "6-10"))).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await Send("PATCH", location, "two"u8.ToArray(), ("Content-Range", "3-5"))).StatusCode);
        var status = await Send("GET", location);
        Assert.Equal((HttpStatusCode.NoContent, "0-5"), (status.StatusCode, status.Headers.GetValues("Range").Single()));
        Assert.Equal(HttpStatusCode.Created, (await Send("PUT", $"{location}?digest={digest}", "three"u8.ToArray(), ("Content-Range", "6-10"))).StatusCode);
        Assert.Equal("onetwothree", await (await Send("GET", $"/v2/app/blobs/{digest}")).Content.ReadAsStringAsync());

        location = (await Send("POST", "/v2/app/blobs/uploads/")).Headers.Location!.ToString();
        Assert.Equal(HttpStatusCode.NoContent, (await Send("DELETE", location)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", location)).StatusCode);
    }

    [Fact]
    public async Task A_wrong_digest_is_refused_and_leaves_nothing()
    {
        var wrong = Digest.OfSha256("else"u8);
        var answer = await Send("POST", $"/v2/app/blobs/uploads/?digest={wrong}", "content"u8.ToArray());
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("DIGEST_INVALID", await answer.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", $"/v2/app/blobs/{wrong}")).StatusCode);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Root, "tmp")));
    }

    [Fact]
    public async Task A_blob_is_mounted_from_another_repository_or_an_upload_begins()
    {
        var digest = await PutBlob("a", "shared");
        Assert.Equal(HttpStatusCode.Created, (await Send("POST", $"/v2/b/blobs/uploads/?mount={digest}&from=a")).StatusCode);
        Assert.Equal(HttpStatusCode.Created, (await Send("POST", $"/v2/c/blobs/uploads/?mount={digest}")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await Send("HEAD", $"/v2/b/blobs/{digest}")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await Send("POST", $"/v2/b/blobs/uploads/?mount={Digest.OfSha256("no"u8)}&from=a")).StatusCode);
    }

    [Fact]
    public async Task Parts_of_a_blob_are_served()
    {
        var digest = await PutBlob("a", "0123456789");
        foreach (var (range, expected) in new[] { ("bytes=2-4", "234"), ("bytes=7-", "789"), ("bytes=-2", "89"), ("bytes=5-100", "56789") })
        {
            var part = await Send("GET", $"/v2/a/blobs/{digest}", null, ("Range", range));
            Assert.Equal((HttpStatusCode.PartialContent, expected), (part.StatusCode, await part.Content.ReadAsStringAsync()));
            Assert.Equal(10, part.Content.Headers.ContentRange!.Length);
        }

        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await Send("GET", $"/v2/a/blobs/{digest}", null, ("Range", "bytes=10-"))).StatusCode);
    }

    [Fact]
    public async Task Manifests_are_put_by_tag_and_digest_and_keep_their_bytes_and_type()
    {
        var (manifest, digest) = await PutImage("app", "one");
        foreach (var reference in (string[])["one", digest.ToString()])
        {
            var got = await Send("GET", $"/v2/app/manifests/{reference}");
            Assert.Equal((manifest, OciManifest), (await got.Content.ReadAsStringAsync(), got.Content.Headers.ContentType!.MediaType));
            Assert.Equal(digest.ToString(), got.Headers.GetValues("Docker-Content-Digest").Single());
            Assert.Equal(Encoding.UTF8.GetByteCount(manifest), (await Send("HEAD", $"/v2/app/manifests/{reference}")).Content.Headers.ContentLength);
        }

        var other = await PutManifest("app", $"sha256:{new string('0', 64)}", manifest);
        Assert.Equal(HttpStatusCode.BadRequest, other.StatusCode);
    }

    [Fact]
    public async Task Bad_manifests_are_refused()
    {
        var (manifest, _) = await PutImage("app", "one");
        Assert.Contains("MANIFEST_BLOB_UNKNOWN", await (await PutManifest("elsewhere", "x", manifest)).Content.ReadAsStringAsync());
        Assert.Contains("MANIFEST_INVALID", await (await PutManifest("app", "x", "not json")).Content.ReadAsStringAsync());
        Assert.Contains("MANIFEST_INVALID", await (await PutManifest("app", "x", manifest, "application/vnd.oci.image.index.v1+json")).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await PutManifest("app", "x", new string(' ', 5 << 20))).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await PutManifest("app", "-bad", manifest)).StatusCode);
    }

    [Fact]
    public async Task Tags_are_listed_in_order_and_in_pages()
    {
        foreach (var tag in (string[])["b", "a", "d", "c"])
        {
            await PutImage("app", tag);
        }

        Assert.Equal("""{"name":"app","tags":["a","b","c","d"]}""", await Text("/v2/app/tags/list"));
        var page = await Send("GET", "/v2/app/tags/list?n=2");
        Assert.Equal("""{"name":"app","tags":["a","b"]}""", await page.Content.ReadAsStringAsync());
        Assert.Equal("</v2/app/tags/list?n=2&last=b>; rel=\"next\"", page.Headers.GetValues("Link").Single());
        Assert.Equal("""{"name":"app","tags":["c","d"]}""", await Text("/v2/app/tags/list?n=2&last=b"));
        Assert.False((await Send("GET", "/v2/app/tags/list?n=2&last=b")).Headers.Contains("Link"));
        Assert.Equal("""{"name":"app","tags":[]}""", await Text("/v2/app/tags/list?n=0"));
        Assert.Equal("""{"repositories":["app"]}""", await Text("/v2/_catalog"));
    }

    [Fact]
    public async Task Referrers_are_found_by_their_subject_and_filtered_by_type()
    {
        var (_, subject) = await PutImage("app", "one");
        Assert.Equal(0, await CountOf($"/v2/app/referrers/{subject}"));
        var config = await PutBlob("app", "{}");
        var artifact = $$$"""{"schemaVersion":2,"mediaType":"{{{OciManifest}}}","artifactType":"text/sbom","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{{{config}}}","size":2},"layers":[],"subject":{"mediaType":"{{{OciManifest}}}","digest":"{{{subject}}}","size":1},"annotations":{"k":"v"}}""";
        var put = await PutManifest("app", Digest.OfSha256(Encoding.UTF8.GetBytes(artifact)).ToString(), artifact);
        Assert.Equal((HttpStatusCode.Created, subject.ToString()), (put.StatusCode, put.Headers.GetValues("OCI-Subject").Single()));
        var answer = await Send("GET", $"/v2/app/referrers/{subject}?artifactType=text/sbom");
        Assert.Equal("artifactType", answer.Headers.GetValues("OCI-Filters-Applied").Single());
        Assert.Equal("application/vnd.oci.image.index.v1+json", answer.Content.Headers.ContentType!.MediaType);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        var found = json.RootElement.GetProperty("manifests")[0];
        Assert.Equal(("text/sbom", "v"), (found.GetProperty("artifactType").GetString(), found.GetProperty("annotations").GetProperty("k").GetString()));
        Assert.Equal(0, await CountOf($"/v2/app/referrers/{subject}?artifactType=other"));
        Assert.Equal(0, await CountOf($"/v2/app/referrers/{Digest.OfSha256("none"u8)}"));

        async Task<int> CountOf(string path)
        {
            using var index = JsonDocument.Parse(await Text(path));
            return index.RootElement.GetProperty("manifests").GetArrayLength();
        }
    }

    [Fact]
    public async Task Tags_manifests_and_blobs_are_deleted()
    {
        var (_, digest) = await PutImage("app", "one");
        await PutImage("app", "two");
        Assert.Equal(HttpStatusCode.Accepted, (await Send("DELETE", "/v2/app/manifests/one")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", "/v2/app/manifests/one")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await Send("GET", $"/v2/app/manifests/{digest}")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await Send("DELETE", $"/v2/app/manifests/{digest}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", $"/v2/app/manifests/{digest}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Send("DELETE", $"/v2/app/manifests/{digest}")).StatusCode);
        var blob = await PutBlob("app", "to go");
        Assert.Equal(HttpStatusCode.Accepted, (await Send("DELETE", $"/v2/app/blobs/{blob}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Send("GET", $"/v2/app/blobs/{blob}")).StatusCode);
        Assert.False(Store.Blobs.Contains(blob));
    }

    [Fact]
    public async Task Images_of_the_machine_are_served_uncompressed_and_cannot_be_deleted_from_outside()
    {
        var layer = Apply(Tar(Entry("a", size: 5)));
        var image = Image(layer, "local:1");
        Assert.Equal("""{"name":"local","tags":["1"]}""", await Text("/v2/local/tags/list"));
        var manifest = await Send("GET", "/v2/local/manifests/1");
        var parsed = JsonSerializer.Deserialize(await manifest.Content.ReadAsStringAsync(), ImageJson.Compact.Manifest)!;
        Assert.Equal((image.Id, layer.DiffId, layer.TarSize), (parsed.Config.Digest, parsed.Layers[0].Digest, parsed.Layers[0].Size));
        var tar = await (await Send("GET", $"/v2/local/blobs/{layer.DiffId}")).Content.ReadAsByteArrayAsync();
        Assert.Equal(layer.DiffId, Digest.OfSha256(tar));
        var part = await Send("GET", $"/v2/local/blobs/{layer.DiffId}", null, ("Range", "bytes=512-516"));
        Assert.Equal(tar[512..517], await part.Content.ReadAsByteArrayAsync());
        Assert.Equal(image.ConfigJson.ToArray(), await (await Send("GET", $"/v2/library/local/blobs/{image.Id}")).Content.ReadAsByteArrayAsync());
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Send("DELETE", "/v2/local/manifests/1")).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Send("DELETE", $"/v2/local/blobs/{layer.DiffId}")).StatusCode);
    }

    [Fact]
    public async Task What_was_pushed_outlives_an_image_that_shares_its_configuration()
    {
        var layer = Apply(Tar(Entry("a", size: 5)));
        var image = Image(layer, "local:1");
        var manifest = await Text("/v2/local/manifests/1");
        Assert.Equal(HttpStatusCode.Created, (await PutManifest("local", "copy", manifest)).StatusCode);
        Store.Images.Remove("local:1", new RemoveOptions());
        Assert.Equal(HttpStatusCode.OK, (await Send("GET", "/v2/local/manifests/copy")).StatusCode);
        Assert.Equal(image.Id, Digest.OfSha256(await (await Send("GET", $"/v2/local/blobs/{image.Id}")).Content.ReadAsByteArrayAsync()));
        Assert.Equal(layer.DiffId, Digest.OfSha256(await (await Send("GET", $"/v2/local/blobs/{layer.DiffId}")).Content.ReadAsByteArrayAsync()));
    }

    private async Task<Digest> PutBlob(string name, string text)
    {
        var digest = Digest.OfSha256(Encoding.UTF8.GetBytes(text));
        Assert.Equal(HttpStatusCode.Created, (await Send("POST", $"/v2/{name}/blobs/uploads/?digest={digest}", Encoding.UTF8.GetBytes(text))).StatusCode);
        return digest;
    }

    private async Task<(string Manifest, Digest Digest)> PutImage(string name, string tag)
    {
        var (config, layer) = (await PutBlob(name, "{\"config\":1}"), await PutBlob(name, "layer"));
        var manifest = $$$"""{"schemaVersion":2,"mediaType":"{{{OciManifest}}}","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{{{config}}}","size":12},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{{{layer}}}","size":5}]}""";
        Assert.Equal(HttpStatusCode.Created, (await PutManifest(name, tag, manifest)).StatusCode);
        return (manifest, Digest.OfSha256(Encoding.UTF8.GetBytes(manifest)));
    }

    private Task<HttpResponseMessage> PutManifest(string name, string reference, string manifest, string type = OciManifest) =>
        Send("PUT", $"/v2/{name}/manifests/{reference}", Encoding.UTF8.GetBytes(manifest), ("Content-Type", type));

    private async Task<string> Text(string path) => await (await Send("GET", path)).Content.ReadAsStringAsync();

    private async Task<HttpResponseMessage> Send(string method, string path, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri("http://registry" + path)) { Content = new ByteArrayContent(body ?? []) };
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value) || request.Content.Headers.TryAddWithoutValidation(name, value));
        }

        return await _server.AnswerAsync(request, TestContext.Current.CancellationToken);
    }
}
