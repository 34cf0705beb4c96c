using Sampan.Api;
using Xunit;

namespace Sampan.Tests.Unit.Api;

/// <summary>Limits as command lines, daemon.json and BuildKit's clients write them.</summary>
public sealed class UlimitTests
{
    [Theory]
    [InlineData("nofile=1024", 1024, 1024)]
    [InlineData("nofile=1024:2048", 1024, 2048)]
    [InlineData("core=0", 0, 0)]
    [InlineData("core=-1", -1, -1)]
    [InlineData("nproc=5:-1", 5, -1)]
    public void A_limit_is_read_and_written(string text, long soft, long hard)
    {
        var limit = Ulimit.Parse(text);
        Assert.Equal((text.Split('=')[0], soft, hard), (limit.Name, limit.Soft, limit.Hard));
        Assert.Equal(limit.ToString(), Ulimit.Parse(limit.ToString()).ToString());
    }

    [Theory]
    [InlineData("nofile", "invalid ulimit argument: nofile")]
    [InlineData("banana=1", "invalid ulimit type: banana")]
    [InlineData("nofile=1:2:3", "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`")]
    [InlineData("nofile=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1")]
    [InlineData("nofile=-1:1", "ulimit soft limit must be less than or equal to hard limit: -1 > 1")]
    [InlineData("nofile=x", "strconv.ParseInt: parsing \"x\": invalid syntax")]
    [InlineData("nofile=", "strconv.ParseInt: parsing \"\": invalid syntax")]
    public void What_is_no_limit_is_refused_in_Dockers_words(string text, string message) =>
        Assert.Equal(message, Assert.Throws<FormatException>(() => Ulimit.Parse(text)).Message);
}
