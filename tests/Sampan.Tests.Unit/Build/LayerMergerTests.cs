using Sampan.Build.Files;
using Sampan.Linux;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Several layers as one.</summary>
public sealed class LayerMergerTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Whiteout(string layer, string path)
    {
        Assert.Equal(0, Sys.TryMknodAt(Sys.AT_FDCWD, Bytes.FromText(Path.Combine(layer, path)), FileStat.S_IFCHR, 0, 0));
        return layer;
    }

    private string Opaque(string layer, string path)
    {
        Assert.Equal(0, Sys.TrySetXattrAt(Sys.AT_FDCWD, Bytes.FromText(Path.Combine(layer, path)), "trusted.overlay.opaque"u8.ToArray(), "y"u8.ToArray()));
        return layer;
    }

    private string[] Merged(string? below, params string[] layers)
    {
        var target = _scratch.Tree("target");
        foreach (var layer in layers) LayerMerger.Add(layer, target, below is null ? null : new MergedView([below]).Root);
        var stack = below is null ? new MergedView([target]) : new MergedView([target, below]);
        string[] seen = [.. Walk(stack.Root!)];
        string[] expected = [.. Walk(new MergedView([.. layers.Reverse(), .. below is null ? Array.Empty<string>() : [below]]).Root!)];
        Assert.Equal(expected, seen);
        return seen;
    }

    private static IEnumerable<string> Walk(MergedNode directory) => MergedView.List(directory).SelectMany(
        child => child.Stat.IsDirectory ? Walk(child).Prepend(child.Path + "/") : [$"{child.Path}={File.ReadAllText(child.RealPath)}"]);

    [Fact]
    public void The_last_layer_wins()
    {
        Assert.Equal(["/a=2", "/d/", "/d/x=1", "/d/y=2", "/k=0"],
            Merged(_scratch.Tree("below", "a=0", "k=0"), _scratch.Tree("one", "a=1", "d/x=1"), _scratch.Tree("two", "a=2", "d/y=2")));
    }

    [Fact]
    public void What_was_deleted_stays_deleted_and_leaves_a_sign_only_where_it_hides_something()
    {
        var two = Whiteout(Whiteout(_scratch.Tree("two", "z=2"), "old"), "made");
        Assert.Equal(["/z=2"], Merged(_scratch.Tree("below", "old=0"), _scratch.Tree("one", "made=1"), two));
        Assert.Equal(["old", "z"], Directory.GetFileSystemEntries(Path.Combine(_scratch.Path, "target")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_directory_made_again_does_not_show_what_is_below()
    {
        var one = Whiteout(_scratch.Tree("one", "x=1"), "d");
        Assert.Equal(["/d/", "/d/new=2", "/x=1"], Merged(_scratch.Tree("below", "d/old=0"), one, _scratch.Tree("two", "d/new=2")));
    }

    [Fact]
    public void An_opaque_directory_hides_the_layers_before_it()
    {
        var two = Opaque(_scratch.Tree("two", "d/new=2"), "d");
        Assert.Equal(["/d/", "/d/new=2"], Merged(_scratch.Tree("below", "d/old=0"), _scratch.Tree("one", "d/mid=1"), two));
    }

    [Fact]
    public void Files_and_directories_replace_each_other()
    {
        Assert.Equal(["/d=2", "/f/", "/f/x=2"], Merged(_scratch.Tree("below", "d/old=0", "f=0"), _scratch.Tree("one", "d/mid=1", "f=1"),
            _scratch.Tree("two", "d=2", "f/x=2")));
    }

    [Fact]
    public void Without_a_base_nothing_needs_a_sign()
    {
        Assert.Equal(["/b=2"], Merged(null, _scratch.Tree("one", "a=1"), Whiteout(_scratch.Tree("two", "b=2"), "a")));
        Assert.Equal(["b"], Directory.GetFileSystemEntries(Path.Combine(_scratch.Path, "target")).Select(Path.GetFileName));
    }
}
