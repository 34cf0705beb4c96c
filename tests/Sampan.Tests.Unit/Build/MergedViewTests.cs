using Sampan.Build.Files;
using Sampan.Linux;
using Xunit;

namespace Sampan.Tests.Unit.Build;

public sealed class MergedViewTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Whiteouts_and_opaque_directories_hide_what_is_below()
    {
        var bottom = _scratch.Tree("bottom", "d/a=1", "d/b=2", "o/x=1", "f=file", "t/in=1");
        var top = _scratch.Tree("top", "!d/a", "d/c=3", "o/y=2", "!f", "t=now a file");
        Assert.Equal(0, Sys.TrySetXattrAt(Sys.AT_FDCWD, Bytes.FromText(top + "/o"), "trusted.overlay.opaque"u8, "y"u8));
        var view = new MergedView([top, bottom]);
        Assert.Equal(["/d", "/o", "/t"], MergedView.List(view.Root!).Select(n => n.Path));
        Assert.Equal(["/d/b", "/d/c"], MergedView.List(view.Resolve("d").Node!).Select(n => n.Path));
        Assert.Equal(["/o/y"], MergedView.List(view.Resolve("/o").Node!).Select(n => n.Path));
        Assert.Null(view.Resolve("/d/a").Node);
        Assert.Null(view.Resolve("f").Node);
        Assert.True(view.Resolve("t").Node!.Stat.IsRegular);
        Assert.Throws<IOException>(() => view.Resolve("t/in"));
    }

    [Theory]
    [InlineData("/link/x", "/dir/x", true)]
    [InlineData("rel/../dir/x", "/dir/x", true)]
    [InlineData("out/etc/passwd", "/etc/passwd", false)]
    [InlineData("../../../dir/x", "/dir/x", true)]
    [InlineData("dangling/more", "/nowhere/at/all/more", false)]
    [InlineData("new/a/../b", "/new/b", false)]
    [InlineData("deep/up", "/dir", true)]
    public void Symlinks_are_followed_inside_the_view(string path, string expected, bool exists)
    {
        var root = _scratch.Tree("root", "dir/x=1", "link->/dir", "rel->./dir", "out->../../../..", "dangling->/nowhere/at/all", "deep/up->../dir");
        var found = new MergedView([root]).Resolve(path);
        Assert.Equal((expected, exists), (found.Path, found.Node is not null));
    }

    [Fact]
    public void A_circle_of_symlinks_is_an_error() =>
        Assert.Equal("too many symlinks in 'a'", Assert.Throws<IOException>(() => new MergedView([_scratch.Tree("r", "a->b", "b->a")]).Resolve("a")).Message);

    [Theory]
    [InlineData("0644", 0x1FFu, false, 0x1A4u)]
    [InlineData("4755", 0u, false, 0x9EDu)]
    [InlineData("+x", 0x1A4u, false, 0x1EDu)]
    [InlineData("u=rwX,go=rX", 0x1B6u, false, 0x1A4u)]
    [InlineData("u=rwX,go=rX", 0x1B6u, true, 0x1EDu)]
    [InlineData("g=u,o-r", 0x1C4u, false, 0x1F8u)]
    [InlineData("a-w,u+s", 0x1B6u, false, 0x924u)]
    public void Modes_change_as_chmod_would(string change, uint mode, bool isDirectory, uint expected) =>
        Assert.Equal(expected, ModeChange.Parse(change).Apply(mode, isDirectory));

    [Theory]
    [InlineData("888")]
    [InlineData("77777")]
    [InlineData("u")]
    [InlineData("u+y")]
    [InlineData("")]
    public void Other_modes_are_refused(string change) => Assert.Throws<FormatException>(() => ModeChange.Parse(change));

    [Theory]
    [InlineData("5", 5u, 5u)]
    [InlineData("5:6", 5u, 6u)]
    [InlineData("web", 33u, 44u)]
    [InlineData("web:staff", 33u, 50u)]
    [InlineData("7:staff", 7u, 50u)]
    [InlineData("", 0u, 0u)]
    public void Owners_are_looked_up_in_the_image(string text, uint uid, uint gid)
    {
        var root = _scratch.Tree("root", "etc/passwd=root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n", "etc/group=staff:x:50:\n");
        Assert.Equal((uid, gid), Ownership.Parse(text, new([root])));
    }

    [Fact]
    public void A_missing_user_is_named()
    {
        var error = Assert.Throws<FormatException>(() => Ownership.Parse("nobody", new([_scratch.Tree("root")])));
        Assert.Equal("invalid user: no such user 'nobody' in /etc/passwd", error.Message);
    }
}
