using Sampan.Dockerfile.Expansion;
using Xunit;

namespace Sampan.Tests.Unit.Dockerfile;

public sealed class ExpansionTests
{
    private static readonly Dictionary<string, string> Env = new() { ["PWD"] = "/home", ["SHELL"] = "bash", ["KOREAN"] = "한국어", ["NULL"] = "" };

    [Fact]
    public void The_table_of_substitutions_holds()
    {
        var failures = new List<string>();
        foreach (var line in Lines("envVarTest"))
        {
            var parts = line.Split('|');
            var (platform, expression, expected) = (parts[0].Trim(), parts[1].Trim(), parts[2].Trim());
            if (platform is "W")
            {
                continue; // names without regard to case are Windows'
            }

            var actual = Try(() => new WordExpander('\\').Expand(expression, name => Env.GetValueOrDefault(name)));
            if (actual != expected)
            {
                failures.Add($"{expression}: expected '{expected}', got '{actual}'");
            }
        }

        Assert.Empty(failures);
    }

    [Fact]
    public void The_table_of_words_holds()
    {
        var failures = new List<string>();
        var env = new Dictionary<string, string>();
        foreach (var line in Lines("wordsTest"))
        {
            if (line.StartsWith("ENV ", StringComparison.Ordinal))
            {
                var pair = line[4..].Split('=', 2);
                env[pair[0]] = pair[1];
                continue;
            }

            var bar = line.IndexOf('|');
            var (expression, expected) = (line[..bar].Trim(), line[(bar + 1)..].TrimStart());
            var actual = Try(() => string.Join(',', new WordExpander('\\').ExpandToWords(expression, name => env.GetValueOrDefault(name))));
            if (actual != expected && actual.Trim() != expected)
            {
                failures.Add($"{expression}: expected '{expected}', got '{actual}'");
            }
        }

        Assert.Empty(failures);
    }

    [Theory]
    [InlineData("${s#f*b}", "arbaz")]
    [InlineData("${s##f*b}", "az")]
    [InlineData("${s%b*}", "foobar")]
    [InlineData("${s%%b*}", "foo")]
    [InlineData("${s/ba/fo}", "fooforbaz")]
    [InlineData("${s//ba/fo}", "fooforfoz")]
    [InlineData("${s//?a/}", "foorz")]
    [InlineData("${s#x}", "foobarbaz")]
    [InlineData("${star#\\*}", "a")]
    [InlineData("${star#\\?}", "*a")]
    [InlineData("${unset#x}-${unset/x/y}", "-")]
    [InlineData("${s-x}${unset-x}${NULL-x}${NULL:-x}", "foobarbazxx")]
    [InlineData("${NULL+x}${NULL:+x}", "x")]
    [InlineData("${s/$pat/$s}", "foofoobarbazbaz")]
    public void Pattern_modifiers_work_as_in_the_reference(string expression, string expected)
    {
        var env = new Dictionary<string, string> { ["s"] = "foobarbaz", ["star"] = "*a", ["NULL"] = "", ["pat"] = "bar" };
        Assert.Equal(expected, new WordExpander('\\').Expand(expression, name => env.GetValueOrDefault(name)));
    }

    [Fact]
    public void Deep_nesting_and_growth_end_in_an_error()
    {
        var deep = string.Concat(Enumerable.Repeat("${a:-", 100_000));
        Assert.Throws<ExpansionException>(() => new WordExpander('\\').Expand(deep, _ => null));
        var many = string.Concat(Enumerable.Repeat("$a", 10_000));
        Assert.Throws<ExpansionException>(() => new WordExpander('\\').Expand(many, _ => new string('x', 10_000)));
    }

    [Fact]
    public void Random_words_expand_or_are_refused()
    {
        var random = new Random(7);
        const string alphabet = "a$${}}:-+?#%/\\\"' *@1";
        for (var i = 0; i < 20_000; i++)
        {
            var word = new string([.. Enumerable.Range(0, random.Next(30)).Select(_ => alphabet[random.Next(alphabet.Length)])]);
            Try(() => new WordExpander('\\').Expand(word, name => name == "a" ? "va*l" : null));
            Try(() => string.Concat(new WordExpander('\\') { KeepQuotes = true, KeepEscapes = true, KeepUnset = true }.ExpandToWords(word, _ => null)));
        }
    }

    private static string Try(Func<string> action)
    {
        try
        {
            return action();
        }
        catch (ExpansionException)
        {
            return "error";
        }
    }

    private static IEnumerable<string> Lines(string file) =>
        File.ReadLines(Path.Combine(Vectors.Folder, file)).Where(l => l.Trim().Length > 0 && !l.StartsWith('#'));
}
