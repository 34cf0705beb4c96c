using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Formatting;
using Sampan.Cli.Streams;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>Sizes, spans, tables and ports as Docker shows them.</summary>
public sealed class FormattingTests
{
    private static readonly DateTimeOffset Now = new(2024, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, "0B")]
    [InlineData(999, "999B")]
    [InlineData(1000, "1kB")]
    [InlineData(12345, "12.3kB")]
    [InlineData(1_240_000, "1.24MB")]
    [InlineData(142_000_000, "142MB")]
    [InlineData(999_999, "1e+03kB")]
    [InlineData(5_000_000_000_000, "5TB")]
    public void Sizes_have_three_digits(double bytes, string text) => Assert.Equal(text, Units.Human(bytes));

    [Fact]
    public void Names_are_in_the_order_of_their_numbers()
    {
        string[] names = ["1", "01", "2", "10", "Net", "net", "net2", "net2a", "net02a", "net10", "net100000000000000000000001", "net-2", "netz"];
        var mixed = names.Reverse().ToArray();
        Array.Sort(mixed, NaturalOrder.Instance);
        Assert.Equal(names, mixed);
    }

    [Theory]
    [InlineData(1234, "1.234kB")]
    [InlineData(999_999, "1000kB")]
    public void Sizes_can_have_four_digits(double bytes, string text) => Assert.Equal(text, Units.Human(bytes, 4));

    [Theory]
    [InlineData(25276301312, "23.54GiB")]
    [InlineData(1023, "1023B")]
    [InlineData(1024, "1KiB")]
    public void Binary_sizes_use_powers_of_1024(double bytes, string text) => Assert.Equal(text, Units.HumanBinary(bytes));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("32", 32)]
    [InlineData("32b", 32)]
    [InlineData("32B", 32)]
    [InlineData("32k", 32768)]
    [InlineData("32kb", 32768)]
    [InlineData("32KiB", 32768)]
    [InlineData("1.5g", 1610612736)]
    [InlineData("32 mb", 33554432)]
    public void Sizes_are_read_in_powers_of_1024(string text, long bytes) => Assert.Equal(bytes, Units.ParseBytes(text));

    [Theory]
    [InlineData("", "invalid size: ''")]
    [InlineData("hello", "invalid size: 'hello'")]
    [InlineData("-32", "invalid size: '-32'")]
    [InlineData("3zz", "invalid suffix: 'zz'")]
    [InlineData("32bb", "invalid suffix: 'bb'")]
    [InlineData("32km", "invalid suffix: 'km'")]
    [InlineData("32kibb", "invalid suffix: 'kibb'")]
    public void What_is_no_size_is_refused(string text, string message)
        => Assert.Equal(message, Assert.Throws<FlagValueException>(() => Units.ParseBytes(text)).Message);

    [Theory]
    [InlineData(0.2, "Less than a second")]
    [InlineData(1.4, "1 second")]
    [InlineData(59, "59 seconds")]
    [InlineData(60, "About a minute")]
    [InlineData(120, "2 minutes")]
    [InlineData(3540, "59 minutes")]
    [InlineData(3700, "About an hour")]
    [InlineData(7200, "2 hours")]
    [InlineData(47 * 3600, "47 hours")]
    [InlineData(48 * 3600, "2 days")]
    [InlineData(20 * 86400, "2 weeks")]
    [InlineData(70 * 86400, "2 months")]
    [InlineData(800 * 86400, "2 years")]
    public void Spans_are_rough(double seconds, string text) => Assert.Equal(text, Durations.Human(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData("1h2m3.5s", 3_723_500_000_000)]
    [InlineData("-10ms", -10_000_000)]
    [InlineData("0", 0)]
    [InlineData("1.5µs", 1500)]
    public void Spans_are_read_as_go_reads_them(string text, long nanoseconds) => Assert.Equal(nanoseconds, Durations.ParseFlag(text));

    [Theory]
    [InlineData("x", "time: invalid duration \"x\"")]
    [InlineData("", "time: invalid duration \"\"")]
    [InlineData("5", "time: missing unit in duration \"5\"")]
    public void What_is_no_span_is_refused(string text, string message)
        => Assert.Equal(message, Assert.Throws<FlagValueException>(() => Durations.ParseFlag(text)).Message);

    [Theory]
    [InlineData("42m", "1709291880.000000000")]
    [InlineData("1709294400", "1709294400")]
    [InlineData("1709294400.5", "1709294400.5")]
    [InlineData("2013-01-02T13:23:37Z", "1357133017.000000000")]
    [InlineData("2013-01-02T13:23:37.123456789Z", "1357133017.123456700")]
    [InlineData("2013-01-02T13:23:37+02:00", "1357125817.000000000")]
    [InlineData("0", "0")]
    public void Times_are_dates_or_spans_before_now(string text, string sent) => Assert.Equal(sent, Durations.Timestamp(text, Now));

    [Fact]
    public void A_word_is_no_time()
        => Assert.Equal("failed to parse value as time or duration: \"zz\"", Assert.Throws<CliException>(() => Durations.Timestamp("zz", Now)).Message);

    [Theory]
    [InlineData("A\tB\nlonger than ten\tx\n", "A                 B\nlonger than ten   x\n")]
    [InlineData("NAME\tX\ta\nb\tc\td\n", "NAME      X         a\nb         c         d\n")]
    [InlineData("a…\tb\n", "a…        b\n")]
    [InlineData("one\ttwo\nnone\none\ttwo\n", "one       two\nnone\none       two\n")]
    public void Columns_are_aligned_as_tabwriter_does(string text, string aligned) => Assert.Equal(aligned, TabWriter.Align(text));

    [Theory]
    [InlineData("""[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":443,"Type":"tcp"},{"PrivatePort":444,"Type":"tcp"}]""",
        "443-444/tcp, 0.0.0.0:8080->80/tcp")]
    [InlineData("""[{"IP":"::","PrivatePort":91,"PublicPort":91,"Type":"udp"},{"IP":"::","PrivatePort":90,"PublicPort":90,"Type":"udp"}]""", "[::]:90-91->90-91/udp")]
    [InlineData("[]", "")]
    public void Ports_are_joined_into_ranges(string ports, string text) => Assert.Equal(text, PsCommand.Ports([.. JsonNode.Parse(ports)!.AsArray()]));

    [Theory]
    [InlineData("", "hello", "hello", false)]
    [InlineData("", "a\x10\x11", "a", true)]
    [InlineData("", "\x10x", "\x10x", false)]
    [InlineData("", "\x10\x10\x11", "\x10", true)]
    [InlineData("ctrl-a,d", "x\x01" + "d", "x", true)]
    [InlineData("z", "yz", "y", true)]
    public void Detach_keys_are_found_and_held_back(string keys, string typed, string passed, bool detached)
    {
        var output = new List<byte>();
        var bytes = System.Text.Encoding.ASCII.GetBytes(typed);
        var found = false;
        // One byte at a time, as a terminal gives them.
        var matcher = new DetachKeys(DetachKeys.Parse(keys));
        foreach (var key in bytes) found = found || matcher.Feed([key], output);
        Assert.Equal(detached, found);
        Assert.Equal(passed, System.Text.Encoding.ASCII.GetString(output.ToArray()));
    }

    [Theory]
    [InlineData("ctrl-1")]
    [InlineData("zz")]
    [InlineData("ctrl-a,")]
    public void Unknown_keys_are_refused(string keys) => Assert.Throws<CliException>(() => DetachKeys.Parse(keys));
}
