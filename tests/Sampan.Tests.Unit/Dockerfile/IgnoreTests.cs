using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;
using Xunit;

namespace Sampan.Tests.Unit.Dockerfile;

public sealed class IgnoreTests
{
    [Theory]
    [InlineData("**", "file", true)]
    [InlineData("**", "dir/file", true)]
    [InlineData("**/", "file", true)]
    [InlineData("**/**", "dir/file", true)]
    [InlineData("dir/**", "dir/file", true)]
    [InlineData("dir/**", "dir", false)]
    [InlineData("**/dir", "a/dir/file", true)]
    [InlineData("**/dir2/*", "dir/dir2/file", true)]
    [InlineData("**/dir2/*", "dir/dir2", false)]
    [InlineData("**file", "file", true)]
    [InlineData("**file", "dir/file", true)]
    [InlineData("**file", "xfile", false)]
    [InlineData("**/file*txt", "dir/dir/file.txt", true)]
    [InlineData("a/**/c", "a/c", true)]
    [InlineData("a/**/c", "a/b/b/c", true)]
    [InlineData("a/**/c", "abc", false)]
    [InlineData("a**/*.txt", "ab/c.txt", true)]
    [InlineData("*.md", "a.md", true)]
    [InlineData("*.md", "d/a.md", false)]
    [InlineData("*/temp*", "x/temporary.txt", true)]
    [InlineData("temp?", "tempa", true)]
    [InlineData("temp?", "temp", false)]
    [InlineData("a[b-d]e", "ace", true)]
    [InlineData("a[^b-d]e", "ace", false)]
    [InlineData("a[^b-d]e", "aze", true)]
    [InlineData("a\\*b", "a*b", true)]
    [InlineData("a\\*b", "axb", false)]
    [InlineData("a.b", "axb", false)]
    [InlineData("a+(b)|{c}$", "a+(b)|{c}$", true)]
    [InlineData("/abs", "abs", true)]
    [InlineData("dir/", "dir/x", true)]
    [InlineData("  spaced  ", "spaced", true)]
    [InlineData("./x/../y//z", "y/z", true)]
    [InlineData("# comment", "# comment", false)]
    [InlineData("*\n!a", "a", false)]
    [InlineData("!a\n*", "a", true)]
    [InlineData("*\n!a\na/b", "a/b", true)]
    [InlineData("*\n!a\na/b", "a/c", false)]
    [InlineData("d\n!d/keep", "d/keep", false)]
    [InlineData("d\n!d/keep", "d/other", true)]
    [InlineData("**/*.go\n!**/keep.go", "x/y/keep.go", false)]
    [InlineData("", "x", false)]
    [InlineData(".", "x", false)]
    [InlineData("! x\n", "x", false)]
    public void The_last_rule_that_matches_decides(string rules, string path, bool ignored) =>
        Assert.Equal(ignored, IgnoreMatcher.Parse(rules).Check(path).IsIgnored);

    [Theory]
    [InlineData("a\n[", ".dockerignore:2: syntax error in pattern '['")]
    [InlineData("[]", ".dockerignore:1: syntax error in pattern '[]'")]
    [InlineData("[a-]", ".dockerignore:1: syntax error in pattern '[a-]'")]
    [InlineData("a\\", ".dockerignore:1: syntax error in pattern 'a\\'")]
    [InlineData("!", ".dockerignore:1: illegal exclusion pattern '!'")]
    public void A_bad_pattern_names_its_line(string rules, string message) =>
        Assert.Equal(message, Assert.Throws<DockerfileException>(() => IgnoreMatcher.Parse(rules)).LocatedMessage);

    [Theory]
    [InlineData("*\n!a/b", "a", false)]
    [InlineData("*\n!a/b", "c", true)]
    [InlineData("*\n!**/x", "c", false)]
    [InlineData("*\n!c*/x", "cd", false)]
    [InlineData("*", "c", true)]
    public void An_ignored_directory_is_skipped_unless_an_exception_may_lie_below(string rules, string directory, bool skip) =>
        Assert.Equal(skip, IgnoreMatcher.Parse(rules).CanSkip(directory));

    [Fact]
    public void Some_files_are_always_sent_and_the_deciding_rule_is_told()
    {
        var matcher = IgnoreMatcher.Parse("*\n", alwaysSent: "Docker[f]ile");
        Assert.False(matcher.Check("Docker[f]ile").IsIgnored);
        Assert.Equal(1, matcher.Check("other").Rule!.Line);
    }

    [Fact]
    public void Hostile_patterns_take_no_more_than_their_length_times_the_paths()
    {
        var matcher = IgnoreMatcher.Parse(string.Concat(Enumerable.Repeat("**/*a", 200)) + "b");
        Assert.False(matcher.Check(string.Concat(Enumerable.Repeat("a", 3000))).IsIgnored);
    }

    /// <summary>What must hold for any rules: bad ones name their line, a skipped directory hides nothing, the last rule wins.</summary>
    [Fact]
    public void Random_rules_keep_their_promises()
    {
        var random = new Random(20261124);
        string[] names = ["a", "b", "ab", "a.b", "é", "*", "**", "?", "a*", "*b", "[ab]", "[^a]", "\\*", "[", "a**b", ".", "..", " "];
        string[] plain = ["a", "b", "ab", "a.b", "é", "ba"];
        var parsed = 0;
        for (var round = 0; round < 3000; round++)
        {
            var rules = string.Join('\n', Enumerable.Range(0, random.Next(1, 6)).Select(_ =>
                (random.Next(3) == 0 ? "!" : "") + (random.Next(5) == 0 ? "/" : "") + Words(names, "/") + (random.Next(6) == 0 ? "/" : "")));
            IgnoreMatcher matcher;
            try
            {
                matcher = IgnoreMatcher.Parse(rules);
            }
            catch (DockerfileException e)
            {
                Assert.StartsWith(".dockerignore:", e.LocatedMessage, StringComparison.Ordinal);
                continue;
            }

            parsed++;
            var (directory, path) = (Words(plain, "/"), Words(plain, "/"));
            var below = $"{directory}/{path}";
            if (matcher.Check(directory).IsIgnored && matcher.CanSkip(directory))
            {
                Assert.True(matcher.Check(below).IsIgnored, $"'{below}' with the rules:\n{rules}");
            }

            Assert.True(IgnoreMatcher.Parse($"{rules}\n{below}").Check(below).IsIgnored, $"'{below}' after the rules:\n{rules}");
            Assert.False(IgnoreMatcher.Parse($"{rules}\n!{below}").Check(below).IsIgnored, $"'!{below}' after the rules:\n{rules}");
        }

        Assert.InRange(parsed, 500, 3000);

        string Words(string[] from, string separator) => string.Join(separator, Enumerable.Range(0, random.Next(1, 4)).Select(_ => from[random.Next(from.Length)]));
    }

    [Fact]
    public void Many_stars_come_to_an_end() =>
        Assert.False(IgnoreMatcher.Parse(string.Concat(Enumerable.Repeat("*a", 30)) + "b\n" + string.Concat(Enumerable.Repeat("**/a*", 20)) + "b")
            .Check(string.Join('/', Enumerable.Repeat(new string('a', 60), 20))).IsIgnored);
}
