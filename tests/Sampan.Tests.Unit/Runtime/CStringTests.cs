using Sampan.Linux;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

public sealed class CStringTests
{
    [Fact]
    public void Strings_that_nobody_refers_to_take_no_memory()
    {
        // A monitor makes some dozens for every exec and lives for months: 1 GB in all, of which little may be there at any time.
        var text = new string('x', 100_000);
        var before = PrivateBytes();
        for (var i = 0; i < 10_000; i++)
        {
            Assert.False(CString.Of(text).IsNull);
        }

        Assert.InRange(PrivateBytes() - before, long.MinValue, 500L << 20);
    }

    [Fact]
    public void A_string_is_absent_or_ends_with_its_only_NUL()
    {
        Assert.True(CString.Of((string?)null).IsNull);
        Assert.False(CString.Of("").IsNull);
        Assert.Equal("a/\uDCFF", CString.Of("a/\uDCFF").ToString());
        Assert.Throws<ArgumentException>(() => CString.Of("a\0b"));
    }

    private static long PrivateBytes()
    {
        var line = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line["RssAnon:".Length..^"kB".Length].Trim(), System.Globalization.CultureInfo.InvariantCulture) << 10;
    }
}
