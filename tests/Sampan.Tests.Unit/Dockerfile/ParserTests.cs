using Sampan.Dockerfile;
using Sampan.Dockerfile.Parsing;
using Xunit;

namespace Sampan.Tests.Unit.Dockerfile;

public sealed class ParserTests
{
    public static TheoryData<string> Trees() => [.. Folders("testfiles")];

    public static TheoryData<string> Negatives() => [.. Folders("testfiles-negative")];

    [Theory]
    [MemberData(nameof(Trees))]
    public void A_Dockerfile_parses_to_the_tree_of_its_vector(string name)
    {
        var folder = Path.Combine(Vectors.Folder, "testfiles", name);
        var document = DockerfileParser.Parse(File.ReadAllBytes(Path.Combine(folder, "Dockerfile")));
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "result")).Trim(), Vectors.Print(document).Trim());
    }

    [Theory]
    [MemberData(nameof(Negatives))]
    public void A_negative_vector_is_refused(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Vectors.Folder, "testfiles-negative", name, "Dockerfile"));
        Assert.Throws<DockerfileException>(() => DockerfileParser.Parse(bytes));
    }

    [Fact]
    public void Instructions_know_their_lines()
    {
        var document = DockerfileParser.Parse(File.ReadAllBytes(Path.Combine(Vectors.Folder, "testfile-line", "Dockerfile")));
        Assert.Equal([new(5, 5), new(11, 12), new(17, 31)], document.Nodes.Select(n => n.Lines));
    }

    [Fact]
    public void Heredocs_are_read_to_their_terminators()
    {
        var document = DockerfileParser.Parse("""
            FROM a
            RUN <<EOF cat - <<-"X" 3<<Y
            one $A
            EOF
            	two
            	X
            three
            Y
            COPY <<f <<g /dir/
            F
            f
            G
            g
            ONBUILD RUN <<E
            x
            E
            RUN ["<<EOF"]
            RUN echo "<<EOF" a<<b
            """);
        var run = document.Nodes[1];
        Assert.Equal(new LineRange(2, 8), run.Lines);
        Assert.Equal([("EOF", 0, true, "one $A\n"), ("X", 0, false, "two\n"), ("Y", 3, true, "three\n")],
            run.Heredocs.Select(h => (h.Name, h.FileDescriptor, h.Expand, h.Content)));
        Assert.Equal(["F\n", "G\n"], document.Nodes[2].Heredocs.Select(h => h.Content));
        Assert.Equal("x\n", document.Nodes[3].Trigger!.Heredocs.Single().Content);
        Assert.Equal("ONBUILD RUN <<E\nx\nE\n", document.Nodes[3].FullText);
        Assert.All(document.Nodes.Skip(4), node => Assert.Empty(node.Heredocs));
    }

    [Theory]
    [InlineData("FROM a\nRUN <<EOF\nx\n", 2, "unterminated heredoc: no line says 'EOF'")]
    [InlineData("# escape=x\nFROM a", 1, "invalid escape directive 'x': must be ` or \\")]
    [InlineData("# escape=`\n# escape=`\nFROM a", 2, "only one 'escape' parser directive can be used")]
    [InlineData("FROM a\nONBUILD ONBUILD RUN x", 2, "chaining ONBUILD via 'ONBUILD ONBUILD' isn't allowed")]
    [InlineData("FROM a\nENV a=b c", 2, "can't find = in 'c', must be of the form name=value")]
    [InlineData("FROM a\n\nCMD [ \"a\",\\\n 1 ]", 3, "only double-quoted strings may stand in a JSON array")]
    public void Syntax_errors_name_their_line(string text, int line, string message)
    {
        var error = Assert.Throws<DockerfileException>(() => DockerfileParser.Parse(text, "Df"));
        Assert.Equal($"Df:{line}: {message}", error.LocatedMessage);
        Assert.Contains($"{line,4} | >>> ", error.Excerpt, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_too_large_is_refused_with_its_place()
    {
        var tooBig = Assert.Throws<DockerfileException>(() => DockerfileParser.Parse(new byte[100 << 20]));
        Assert.Equal("'Dockerfile' has 104,857,600 bytes, more than the 16,777,216 that a Dockerfile may have", tooBig.Message);
        var longLine = Assert.Throws<DockerfileException>(() => DockerfileParser.Parse("FROM a\nRUN " + new string('x', 10 << 20)));
        Assert.Equal("Dockerfile:2: line 2 of 'Dockerfile' is longer than 1,048,576 characters", longLine.LocatedMessage);
        var joined = Assert.Throws<DockerfileException>(() => DockerfileParser.Parse("FROM a\nRUN x" + string.Concat(Enumerable.Repeat("x\\\n", 2 << 20))));
        Assert.StartsWith("line 2 of", joined.Message, StringComparison.Ordinal);
        var many = Assert.Throws<DockerfileException>(() => DockerfileParser.Parse("FROM a\n" + string.Concat(Enumerable.Repeat("RUN x\n", 100_000))));
        Assert.Equal("Dockerfile:10001: more than 10,000 instructions", many.LocatedMessage);
        var notText = Assert.Throws<DockerfileException>(() => DockerfileParser.Parse("FROM a\nRUN "u8.ToArray().Append((byte)0xff).ToArray()));
        Assert.Equal("Dockerfile:2: 'Dockerfile' is not valid UTF-8 at line 2", notText.LocatedMessage);
    }

    [Fact]
    public void Mutated_Dockerfiles_either_parse_or_say_why()
    {
        var random = new Random(20260101);
        var seeds = Folders("testfiles").Select(n => File.ReadAllText(Path.Combine(Vectors.Folder, "testfiles", n, "Dockerfile"))).ToArray();
        string[] inserts = ["<<EOF", "\\", "\"", "'", "\n", "[\"", "${", "}", "--", "=", "#", "`", "\0", "\r\n", "ONBUILD ", "HEALTHCHECK --interval=", "--mount=type="];
        for (var i = 0; i < 3000; i++)
        {
            var text = seeds[random.Next(seeds.Length)];
            text = text[..Math.Min(text.Length, 600)];
            for (var n = random.Next(1, 6); n > 0; n--)
            {
                var at = random.Next(text.Length + 1);
                text = random.Next(2) == 0 ? text.Insert(at, inserts[random.Next(inserts.Length)]) : text.Remove(at, Math.Min(random.Next(20), text.Length - at));
            }

            try
            {
                var model = DockerfileModel.Create(DockerfileParser.Parse(text));
                Assert.All(model.Stages, stage => Assert.True(stage.From.Node.Lines.Start >= 1));
            }
            catch (DockerfileException e)
            {
                Assert.DoesNotContain("\n", e.Message, StringComparison.Ordinal);
            }
        }
    }

    private static IEnumerable<string> Folders(string kind) =>
        Directory.GetDirectories(Path.Combine(Vectors.Folder, kind)).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);
}
