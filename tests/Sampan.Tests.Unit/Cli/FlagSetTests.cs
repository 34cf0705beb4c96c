using Sampan.Cli.CommandLine;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>The grammar of flags is pflag's; the messages are what docker 28 prints.</summary>
public sealed class FlagSetTests
{
    [Theory]
    [InlineData("-it x", "i,t", "x")]
    [InlineData("-itd x y", "d,i,t", "x y")]
    [InlineData("-p80:80 x", "p=80:80", "x")]
    [InlineData("-p 80:80 x", "p=80:80", "x")]
    [InlineData("-p=80:80 x", "p=80:80", "x")]
    [InlineData("-itp80 x", "i,p=80,t", "x")]
    [InlineData("-eFOO=bar x", "e=FOO=bar", "x")]
    [InlineData("-e=FOO=bar x", "e=FOO=bar", "x")]
    [InlineData("--env FOO=bar --env=B=c x", "e=FOO=bar|B=c", "x")]
    [InlineData("--tty=false x", "", "x")]
    [InlineData("-t=false x", "", "x")]
    [InlineData("--tty x --interactive", "t", "x --interactive")]
    [InlineData("-- -t x", "", "-t x")]
    [InlineData("-t -- x -i", "t", "x -i")]
    [InlineData("- -t", "", "- -t")]
    [InlineData("-m 3g x", "m=3221225472", "x")]
    [InlineData("--name= x", "", "x")]
    public void Words_are_parsed_as_pflag_does(string line, string expected, string words)
    {
        var set = new Sample();
        var rest = set.Flags.Parse(line.Split(' '), interspersed: false);
        Assert.Equal(expected, set.Show());
        Assert.Equal(words, string.Join(' ', rest));
    }

    [Fact]
    public void Flags_may_follow_words_where_the_command_takes_them()
    {
        var set = new Sample();
        Assert.Equal(["x", "y", "-z"], set.Flags.Parse(["x", "-t", "y", "--", "-z"], interspersed: true));
        Assert.Equal("t", set.Show());
    }

    [Theory]
    [InlineData("--foo", "unknown flag: --foo")]
    [InlineData("--foo=3", "unknown flag: --foo")]
    [InlineData("-x", "unknown shorthand flag: 'x' in -x")]
    [InlineData("-txi", "unknown shorthand flag: 'x' in -xi")]
    [InlineData("--name", "flag needs an argument: --name")]
    [InlineData("-p", "flag needs an argument: 'p' in -p")]
    [InlineData("-itp", "flag needs an argument: 'p' in -p")]
    [InlineData("---x", "bad flag syntax: ---x")]
    [InlineData("--=x", "bad flag syntax: --=x")]
    [InlineData("-t=zz", "invalid argument \"zz\" for \"-t, --tty\" flag: strconv.ParseBool: parsing \"zz\": invalid syntax")]
    [InlineData("-m 3zz", "invalid argument \"3zz\" for \"-m, --memory\" flag: invalid suffix: 'zz'")]
    [InlineData("--count x", "invalid argument \"x\" for \"--count\" flag: strconv.ParseInt: parsing \"x\": invalid syntax")]
    [InlineData("--count 99999999999999999999", "invalid argument \"99999999999999999999\" for \"--count\" flag: strconv.ParseInt: parsing \"99999999999999999999\": value out of range")]
    public void What_is_wrong_is_said_in_dockers_words(string line, string message)
    {
        var error = Assert.Throws<UsageException>(() => new Sample().Flags.Parse(line.Split(' '), interspersed: false));
        Assert.Equal(message, error.Message);
        Assert.Equal(125, error.ExitCode);
    }

    [Theory]
    [InlineData("--help", false)]
    [InlineData("-h", true)]
    public void Help_is_asked_for_by_both_forms(string word, bool deprecated)
        => Assert.Equal(deprecated, Assert.Throws<HelpRequestedException>(() => new Sample().Flags.Parse([word], interspersed: false)).DeprecatedShorthand);

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-5", -5)]
    [InlineData("0x1F", 31)]
    [InlineData("0b11", 3)]
    [InlineData("017", 15)]
    [InlineData("-9223372036854775808", long.MinValue)]
    public void Integers_have_gos_prefixes(string text, long value) => Assert.Equal(value, FlagValues.Int(text));

    [Theory]
    [InlineData("1.5", 1_500_000_000)]
    [InlineData("2", 2_000_000_000)]
    [InlineData(".25", 250_000_000)]
    public void Cpus_are_decimal(string text, long nano) => Assert.Equal(nano, FlagValues.Cpus(text));

    private sealed class Sample
    {
        private readonly SwitchFlag _tty;
        private readonly SwitchFlag _interactive;
        private readonly SwitchFlag _detach;
        private readonly ListFlag _publish;
        private readonly ListFlag _env;
        private readonly ValueFlag<long> _memory;

        public Sample()
        {
            _tty = Flags.Switch("tty", 't', "");
            _interactive = Flags.Switch("interactive", 'i', "");
            _detach = Flags.Switch("detach", 'd', "");
            _publish = Flags.List("publish", 'p', "");
            _env = Flags.List("env", 'e', "");
            _memory = Flags.Bytes("memory", 'm', "");
            Flags.Int("count", "");
            Flags.Text("name", "");
        }

        public FlagSet Flags { get; } = new();

        public string Show()
        {
            var parts = new List<string>();
            if (_detach) parts.Add("d");
            if (_env.Values.Count > 0) parts.Add("e=" + string.Join('|', _env.Values));
            if (_interactive) parts.Add("i");
            if (_memory.Value != 0) parts.Add($"m={_memory.Value}");
            if (_publish.Values.Count > 0) parts.Add("p=" + string.Join('|', _publish.Values));
            if (_tty) parts.Add("t");
            return string.Join(',', parts);
        }
    }
}
