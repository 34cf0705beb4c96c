using System.Security.Cryptography;
using System.Text;
using Sampan.Build;
using Sampan.Build.Sources;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>ADD of what web servers have.</summary>
public sealed class HttpSourceTests : IDisposable
{
    private const string LastModified = "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT\r\n"; // 784903526
    private readonly BuildFixture _fixture = new();
    private readonly WebServer _server = new();

    public void Dispose()
    {
        _fixture.Dispose();
        _server.Dispose();
    }

    [Fact]
    public async Task A_file_has_the_servers_name_and_time_and_is_for_its_owner_alone()
    {
        _server.Answer = _ => WebServer.Ok("hello", LastModified);
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/a/file.txt?x=1 /dir/\nADD --chmod=755 {_server.Url}/b /named\n");
        Assert.Equal(["/dir/", "/dir/file.txt", "/named"], _fixture.Paths(image));
        Assert.Equal("600 0:0 784903526", _fixture.About(image, "/dir/file.txt"));
        Assert.Equal("755 0:0 784903526", _fixture.About(image, "/named"));
        Assert.Equal("hello", _fixture.Read(image, "/named"));
        Assert.Empty(_fixture.Temporaries);
    }

    [Fact]
    public async Task The_name_in_content_disposition_wins_but_leads_nowhere()
    {
        _server.Answer = _ => WebServer.Ok("x", "Content-Disposition: attachment; filename=\"../../etc/real.txt\"\r\n");
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/ /dir/\n");
        Assert.Equal(["/dir/", "/dir/real.txt"], _fixture.Paths(image));
    }

    [Fact]
    public async Task Without_a_name_a_directory_cannot_hold_it()
    {
        _server.Answer = _ => WebServer.Ok("x");
        var e = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/ /dir/\n"));
        Assert.Contains("cannot determine filename from url", e.Message, StringComparison.Ordinal);
        Assert.Equal(2, e.Lines!.Value.Start);
    }

    [Fact]
    public async Task The_same_bytes_are_cached_and_others_are_not()
    {
        var body = "one";
        _server.Answer = _ => WebServer.Ok(body);
        var first = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/f /f\n");
        var again = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/f /f\n");
        Assert.Equal(first.Id, again.Id);
        Assert.Empty(_fixture.Reasons);
        body = "two";
        var third = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/f /f\n");
        Assert.Equal("two", _fixture.Read(third, "/f"));
        Assert.Matches($"url {_server.Url}/f sha256:.* → sha256:", Assert.Single(_fixture.Reasons));
    }

    [Fact]
    public async Task An_unchanged_tag_spares_the_download()
    {
        _server.Answer = head => head.Contains("If-None-Match: \"v1\"", StringComparison.Ordinal)
            ? WebServer.Text("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n") : WebServer.Ok("tagged", "ETag: \"v1\"\r\n");
        var first = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/f /f\n");
        var again = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/f /f\n");
        Assert.Equal(first.Id, again.Id);
        Assert.Equal(2, _server.Requests.Count);
        Assert.Empty(_fixture.Reasons);

        // The step is another, but the file is the same: it is downloaded, since nothing keeps it.
        var moved = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/f /g\n");
        Assert.Equal("tagged", _fixture.Read(moved, "/g"));
    }

    [Fact]
    public async Task A_checksum_is_proven_and_spares_every_request()
    {
        var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData("sum"u8));
        _server.Answer = _ => WebServer.Ok("sum");
        var first = await _fixture.BuildAsync($"FROM scratch\nADD --checksum={digest} {_server.Url}/f /f\n");
        Assert.Equal(first.Id, (await _fixture.BuildAsync($"FROM scratch\nADD --checksum={digest} {_server.Url}/f /f\n")).Id);
        Assert.Single(_server.Requests);
        _server.Answer = _ => WebServer.Ok("other");
        var e = await Assert.ThrowsAsync<BuildException>(() => _fixture.BuildAsync($"FROM scratch\nADD --checksum={digest} {_server.Url}/f /elsewhere\n"));
        Assert.Contains("digest mismatch", e.Message, StringComparison.Ordinal);
        Assert.Empty(_fixture.Temporaries);
    }

    [Theory]
    [InlineData("--checksum=sha256:12 {0}/f /f", "invalid checksum 'sha256:12'")]
    [InlineData("--checksum=sha256:12 file /f", "checksum can't be specified for local sources")]
    [InlineData("--checksum=sha256:12 {0}/f file /d/", "checksum can't be specified for multiple sources")]
    [InlineData("{0}/missing /f", "status 404 Not Found")]
    [InlineData("http://127.0.0.1:1/f /f", "Connection refused")]
    [InlineData("http://user:secret@127.0.0.1:1/f /f", "'http://xxxxx@127.0.0.1:1/f'")]
    public async Task What_is_wrong_is_named(string arguments, string message)
    {
        _fixture.Files("file=x");
        var e = await Assert.ThrowsAsync<BuildException>(
            () => _fixture.BuildAsync("FROM scratch\nADD " + arguments.Replace("{0}", _server.Url, StringComparison.Ordinal) + "\n"));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
        Assert.Equal(2, e.Lines!.Value.Start);
    }

    [Fact]
    public async Task A_redirection_is_followed_and_names_the_file()
    {
        _server.Answer = head => head.StartsWith("GET /old", StringComparison.Ordinal)
            ? WebServer.Text($"HTTP/1.1 302 Found\r\nLocation: {_server.Url}/new.txt\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") : WebServer.Ok("here");
        var image = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/old /dir/\n");
        Assert.Equal("here", _fixture.Read(image, "/dir/new.txt"));
    }

    [Fact]
    public async Task Too_much_silence_and_too_many_bytes_end_a_download()
    {
        var path = Path.Combine(_fixture.Context, "download");
        _server.Answer = _ => WebServer.Ok(new string('x', 5000));
        var large = await Assert.ThrowsAsync<BuildException>(
            () => HttpSource.FetchAsync(_server.Url + "/f", null, path, new SourceLimits { MaxBytes = 4999 }, null, default));
        Assert.Contains("4,999 bytes", large.Message, StringComparison.Ordinal);

        using var gate = new ManualResetEventSlim();
        _server.Answer = _ =>
        {
            gate.Wait(TimeSpan.FromSeconds(10));
            return WebServer.Ok("late");
        };
        var silent = await Assert.ThrowsAsync<BuildException>(() => HttpSource.FetchAsync(
            _server.Url + "/f", null, path + "2", new SourceLimits { Silence = TimeSpan.FromMilliseconds(50) }, null, default));
        gate.Set();
        Assert.Contains("said nothing for 0.05 s", silent.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_downloaded_archive_is_unpacked_only_when_told()
    {
        var tar = new MemoryStream();
        using (var writer = new System.Formats.Tar.TarWriter(tar, leaveOpen: true))
        {
            writer.WriteEntry(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, "inner")
            {
                DataStream = new MemoryStream(Encoding.UTF8.GetBytes("content")),
            });
        }

        _server.Answer = _ => [.. WebServer.Text($"HTTP/1.1 200 OK\r\nContent-Length: {tar.Length}\r\nConnection: close\r\n\r\n"), .. tar.ToArray()];
        var kept = await _fixture.BuildAsync($"FROM scratch\nADD {_server.Url}/a.tar /d/\n");
        Assert.Equal(["/d/", "/d/a.tar"], _fixture.Paths(kept));
        var unpacked = await _fixture.BuildAsync($"FROM scratch\nADD --unpack {_server.Url}/a.tar /d/\n");
        Assert.Equal(["/d/", "/d/inner"], _fixture.Paths(unpacked));
        Assert.Equal("content", _fixture.Read(unpacked, "/d/inner"));
    }
}
