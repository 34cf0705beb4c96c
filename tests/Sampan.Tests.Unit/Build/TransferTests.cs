using Sampan.Build.Files;
using Sampan.Build.Steps;
using Sampan.Dockerfile.Ignore;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Where COPY puts things, by the reference's rules.</summary>
public sealed class TransferTests : IDisposable
{
    private static readonly string[] Context =
        ["a.txt=A", "b.txt=B", "dir/x=X", "dir/sub/y=Y", "dir/link->x", "toa->a.txt", "todir->dir", "weird[1].txt=W", "out->/etc/passwd"];

    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("a.txt /new", "/new 644 0:0 A")]
    [InlineData("a.txt /new/", "/new/ 755 0:0|/new/a.txt 644 0:0 A")]
    [InlineData("a.txt rel/", "/work/ 755 0:0|/work/rel/ 755 0:0|/work/rel/a.txt 644 0:0 A")]
    [InlineData("a.txt .", "/work/ 755 0:0|/work/a.txt 644 0:0 A")]
    [InlineData("a.txt /existing", "/existing/ 700 7:8|/existing/a.txt 644 0:0 A")]
    [InlineData("a.txt /tolink", "/existing/ 700 7:8|/existing/a.txt 644 0:0 A")]
    [InlineData("a.txt /abslink/deep/f", "/existing/ 700 7:8|/existing/deep/ 755 0:0|/existing/deep/f 644 0:0 A")]
    [InlineData("a.txt /file", "/file 644 0:0 A")]
    [InlineData("*.txt /d/", "/d/ 755 0:0|/d/a.txt 644 0:0 A|/d/b.txt 644 0:0 B|/d/weird[1].txt 644 0:0 W")]
    [InlineData("weird[[]1].txt /d/", "/d/ 755 0:0|/d/weird[1].txt 644 0:0 W")]
    [InlineData("a.txt b.txt /d/", "/d/ 755 0:0|/d/a.txt 644 0:0 A|/d/b.txt 644 0:0 B")]
    [InlineData("dir /d", "/d/ 755 0:0|/d/link -> x|/d/sub/ 755 0:0|/d/sub/y 644 0:0 Y|/d/x 644 0:0 X")]
    [InlineData("dir/ /existing", "/existing/ 700 7:8|/existing/link -> x|/existing/sub/ 755 0:0|/existing/sub/y 644 0:0 Y|/existing/x 644 0:0 X")]
    [InlineData("toa /n", "/n 644 0:0 A")]
    [InlineData("toa /d/", "/d/ 755 0:0|/d/toa 644 0:0 A")]
    [InlineData("todir /d/", "/d/ 755 0:0|/d/link -> x|/d/sub/ 755 0:0|/d/sub/y 644 0:0 Y|/d/x 644 0:0 X")]
    [InlineData("../../a.txt /n", "/n 644 0:0 A")]
    [InlineData("/a.txt /n", "/n 644 0:0 A")]
    [InlineData("dir/* /d/", "/d/ 755 0:0|/d/link 644 0:0 X|/d/x 644 0:0 X|/d/y 644 0:0 Y")]
    public void Sources_go_where_the_reference_says(string words, string expected) =>
        Assert.Equal(expected.Split('|'), Copy(words));

    [Theory]
    [InlineData("none /x", "COPY failed: file not found in build context or excluded by .dockerignore: stat none: file does not exist")]
    [InlineData("*.none /x/", "COPY failed: no source files were specified")]
    [InlineData("a.txt b.txt /x", "When using COPY with more than one source file, the destination must be a directory and end with a /")]
    [InlineData("*.txt /x", "When using COPY with more than one source file, the destination must be a directory and end with a /")]
    [InlineData("a.txt /file/", "destination '/file' is not a directory")]
    [InlineData("a.txt /file/x", "'/file' is not a directory")]
    [InlineData("dir /file", "cannot make directory '/file': a file of that name exists")]
    [InlineData("out /x", "COPY failed: file not found in build context or excluded by .dockerignore: stat out: file does not exist")]
    [InlineData("a.txt /occupied", "cannot overwrite directory '/occupied/a.txt' with a file")]
    public void What_cannot_be_copied_is_said(string words, string message)
    {
        var error = Record.Exception(() => Copy(words));
        Assert.Equal(message, error?.Message);
    }

    [Theory]
    [InlineData("**/y /d/", "/d/ 755 0:0|/d/dir/ 755 0:0|/d/dir/sub/ 755 0:0|/d/dir/sub/y 644 0:0 Y")]
    [InlineData("dir/**/x /d/", "/d/ 755 0:0|/d/dir/ 755 0:0|/d/dir/x 644 0:0 X")]
    [InlineData("dir/./**/y /d/", "/d/ 755 0:0|/d/sub/ 755 0:0|/d/sub/y 644 0:0 Y")]
    [InlineData("dir/** /d/", "/d/ 755 0:0|/d/dir/ 755 0:0|/d/dir/link -> x|/d/dir/sub/ 755 0:0|/d/dir/sub/y 644 0:0 Y|/d/dir/x 644 0:0 X")]
    public void Two_stars_stand_for_any_directories_where_parents_are_kept(string words, string expected) =>
        Assert.Equal(expected.Split('|'), Copy(words, r => r with { Parents = true }));

    [Fact]
    public void Two_stars_are_one_elsewhere() =>
        Assert.Equal("COPY failed: no source files were specified", Record.Exception(() => Copy("**/y /d/"))?.Message);

    [Fact]
    public void Owner_and_mode_are_those_of_the_flags() =>
        Assert.Equal(["/n/ 755 33:44", "/n/s/ 750 33:44", "/n/s/link -> x", "/n/s/sub/ 750 33:44", "/n/s/sub/y 640 33:44 Y", "/n/s/x 640 33:44 X"],
            Copy("dir /n/s", r => r with { Chown = "web", Chmod = "u=rwX,g=rX,o=" }));

    [Fact]
    public void The_ignore_file_and_exclude_leave_things_out()
    {
        var ignore = IgnoreMatcher.Parse("dir\n!dir/sub/y\n*.txt\n!a.txt");
        Assert.Equal(["/c/ 755 0:0", "/c/a.txt 644 0:0 A", "/c/dir/ 755 0:0", "/c/dir/sub/ 755 0:0", "/c/dir/sub/y 644 0:0 Y", "/c/out -> /etc/passwd", "/c/toa -> a.txt",
            "/c/todir -> dir"], Copy(". /c", r => r with { Ignore = ignore }));
        Assert.Equal("COPY failed: file not found in build context or excluded by .dockerignore: stat b.txt: file does not exist",
            Record.Exception(() => Copy("b.txt /c", r => r with { Ignore = ignore }))?.Message);
        Assert.Equal(["/c/ 755 0:0", "/c/x 644 0:0 X"], Copy("dir /c", r => r with { Exclude = ["sub", "link"] }));
    }

    [Fact]
    public void Parents_keep_their_path() =>
        Assert.Equal(["/c/ 755 0:0", "/c/dir/ 755 0:0", "/c/dir/sub/ 755 0:0", "/c/dir/sub/y 644 0:0 Y", "/c/sub/ 755 0:0", "/c/sub/y 644 0:0 Y"],
            Copy("dir/sub/y ./dir/./sub/y /c/", r => r with { Parents = true }));

    [Fact]
    public void Times_do_not_count_for_the_key_but_content_mode_and_owner_do()
    {
        var (source, target) = Views();
        var before = Parts(source, target);
        File.SetLastWriteTimeUtc(System.IO.Path.Combine(_scratch.Path, "context/a.txt"), DateTime.UnixEpoch);
        Assert.Equal(before, Parts(source, target));
        File.WriteAllText(System.IO.Path.Combine(_scratch.Path, "context/a.txt"), "changed");
        Assert.NotEqual(before, Parts(source, target));

        static string Parts(MergedView source, MergedView target) => string.Join('\n', TransferPlanner.Plan(Request("a.txt /x"), source, target, _ => null)
            .KeyParts(default).Select(p => $"{p.Name}={p.Value}"));
    }

    private static TransferRequest Request(string words)
    {
        var list = words.Split(' ');
        return new() { Keyword = "COPY", Sources = list[..^1], Destination = list[^1], WorkingDirectory = "/work" };
    }

    private (MergedView Source, MergedView Target) Views()
    {
        var context = _scratch.Tree("context", Context);
        var top = _scratch.Tree("top", "tolink->existing", "abslink->/existing", "file=old", "occupied/a.txt/");
        var bottom = _scratch.Tree("bottom", "existing/", "etc/passwd=web:x:33:44:::\n");
        Sampan.Linux.Sys.ChownAt(Sampan.Linux.Sys.AT_FDCWD, Sampan.Linux.Bytes.FromText(bottom + "/existing"), 7, 8);
        Sampan.Linux.Sys.ChmodAt(Sampan.Linux.Sys.AT_FDCWD, Sampan.Linux.Bytes.FromText(bottom + "/existing"), 0x1C0);
        return (new([context]), new([top, bottom]));
    }

    private string[] Copy(string words, Func<TransferRequest, TransferRequest>? change = null)
    {
        var (source, target) = Views();
        var request = Request(words);
        var transfer = TransferPlanner.Plan(change is null ? request : change(request), source, target, _ => null);
        var upper = _scratch.Tree($"upper{Guid.NewGuid():n}");
        transfer.Write(upper, target, 1000, default);
        return Scratch.List(upper);
    }
}
