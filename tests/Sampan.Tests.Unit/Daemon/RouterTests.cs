using Sampan.Api;
using Sampan.Daemon;
using Sampan.Daemon.Http;
using Sampan.Daemon.Routes;
using Xunit;

namespace Sampan.Tests.Unit.Daemon;

public sealed class RouterTests
{
    private static Router All()
    {
        var router = new Router();
        var log = new DaemonLog(TextWriter.Null, debug: false);
        AllRoutes.Map(router, new(new FakeEngine(), log), log);
        return router;
    }

    [Theory]
    [InlineData("GET", "/containers/json", "")]
    [InlineData("GET", "/containers/web/json", "web")]
    [InlineData("GET", "/images/registry.example:5000/team/app:1.0/json", "registry.example:5000/team/app:1.0")]
    [InlineData("GET", "/images/json", "")]
    [InlineData("GET", "/images/a/b/get", "a/b")]
    [InlineData("GET", "/images/get", "")]
    [InlineData("DELETE", "/images/localhost/x@sha256:12", "localhost/x@sha256:12")]
    [InlineData("POST", "/images/library/busybox/tag", "library/busybox")]
    [InlineData("POST", "/images/create", "")]
    [InlineData("GET", "/networks", "")]
    [InlineData("GET", "/networks/", "")]
    [InlineData("GET", "/networks/bridge", "bridge")]
    [InlineData("POST", "/exec/12/start", "12")]
    [InlineData("HEAD", "/containers/web/archive", "web")]
    public void A_path_finds_its_route_and_name(string method, string path, string name) => Assert.Equal(name, All().Find(method, path)?.Name);

    [Theory]
    [InlineData("GET", "/")]
    [InlineData("GET", "/containers//json")]
    [InlineData("PATCH", "/containers/json")]
    [InlineData("GET", "/containers/web/start")]
    [InlineData("GET", "/nowhere")]
    public void Other_paths_and_methods_find_none(string method, string path) => Assert.Null(All().Find(method, path));

    [Theory]
    [InlineData("/v1.24/info", 24, "/info")]
    [InlineData("/v1.55/containers/v1.2/json", 55, "/containers/v1.2/json")]
    [InlineData("/info", 55, "/info")]
    [InlineData("/version", 55, "/version")]
    [InlineData("/volumes/v1", 55, "/volumes/v1")]
    public void The_version_is_split_from_the_path(string path, int minor, string rest) => Assert.Equal((minor, rest), ApiVersion.Split(path));

    [Theory]
    [InlineData("/v1.20/info", "client version 1.20 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version")]
    [InlineData("/v1.99/info", "client version 1.99 is too new. Maximum supported API version is 1.55")]
    [InlineData("/v2.0/info", "client version 2.0 is too new. Maximum supported API version is 1.55")]
    public void Versions_not_spoken_are_refused(string path, string message)
    {
        var e = Assert.Throws<ApiException>(() => ApiVersion.Split(path));
        Assert.Equal((400, message), (e.Status, e.Message));
    }

    [Fact]
    public void Queries_are_read_as_moby_reads_them()
    {
        var query = new Query("all=1&size=no&t=-1&names=a&names=b%2Fc&q=x+y&empty=&filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D&since=1767323045.5");
        Assert.True(query.Bool("all"));
        Assert.False(query.Bool("size", absent: true));
        Assert.True(query.Bool("stream", absent: true));
        Assert.False(query.Bool("empty", absent: true));
        Assert.Equal(-1, query.Int32("t"));
        Assert.Equal(["a", "b/c"], query.All("names"));
        Assert.Equal("x y", query["q"]);
        Assert.Equal(["a=b"], query.Filters()["label"]);
        Assert.Equal("2026-01-02T03:04:05.5Z", GoTime.Format(query.Time("since")));
        Assert.Equal(DateTimeOffset.UnixEpoch, new Query("since=0").Time("since"));
        Assert.Null(query.Time("until"));
        Assert.Equal(400, Assert.Throws<ApiException>(() => new Query("limit=x").Int32("limit")).Status);
        Assert.Equal(400, Assert.Throws<ApiException>(() => new Query("filters=x").Filters()).Status);
    }
}
