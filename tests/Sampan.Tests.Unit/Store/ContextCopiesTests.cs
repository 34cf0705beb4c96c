using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>A copy of a context serves the next build when it is whole, and one build at a time.</summary>
public sealed class ContextCopiesTests : StoreFixture
{
    [Fact]
    public void A_copy_comes_back_with_its_record()
    {
        using (var copy = Store.ContextCopies.Open("key")!)
        {
            Assert.Empty(copy.Record);
            System.IO.File.WriteAllText(Path.Combine(copy.Path, "f"), "content");
            copy.Keep("record"u8, "words", 7);
        }

        var info = Assert.Single(Store.ContextCopies.List());
        Assert.Equal(("words", 7, false), (info.Description, info.Size, info.InUse));
        using var again = Store.ContextCopies.Open("key")!;
        Assert.Equal("record"u8.ToArray(), again.Record);
        Assert.Equal("content", System.IO.File.ReadAllText(Path.Combine(again.Path, "f")));
        Assert.Null(Store.ContextCopies.Open("key"));
        Assert.False(Store.ContextCopies.Remove(info.Name));
        using var other = Store.ContextCopies.Open("other")!;
        Assert.Empty(other.Record);
    }

    [Fact]
    public void Half_made_copies_go_whoever_leaves_them()
    {
        using (var failed = Store.ContextCopies.Open("failed")!)
        {
            System.IO.File.WriteAllText(Path.Combine(failed.Path, "f"), "half");
        }

        var root = Path.Combine(Root, "contexts");
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
        var killed = Store.ContextCopies.Open("killed")!; // and never disposed
        System.IO.File.WriteAllText(Path.Combine(killed.Path, "f"), "half");
        Close();
        using (var copy = Store.ContextCopies.Open("killed")!)
        {
            Assert.Empty(copy.Record);
            Assert.Empty(Directory.EnumerateFileSystemEntries(copy.Path));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(50)]
    public void A_record_that_is_cut_off_does_not_count(int length)
    {
        using (var copy = Store.ContextCopies.Open("key")!)
        {
            System.IO.File.WriteAllText(Path.Combine(copy.Path, "f"), "content");
            copy.Keep(new byte[100], "words", 7);
        }

        var record = Directory.EnumerateFiles(Path.Combine(Root, "contexts"), "record", SearchOption.AllDirectories).Single();
        using (var file = System.IO.File.OpenWrite(record))
        {
            file.SetLength(length);
        }

        using var again = Store.ContextCopies.Open("key")!;
        Assert.Empty(again.Record);
        Assert.Empty(Directory.EnumerateFileSystemEntries(again.Path));
    }

    [Fact]
    public void Files_go_with_what_is_in_them()
    {
        using var copy = Store.ContextCopies.Open("key")!;
        Directory.CreateDirectory(Path.Combine(copy.Path, "d", "e"));
        System.IO.File.WriteAllText(Path.Combine(copy.Path, "d", "e", "f"), "");
        System.IO.File.WriteAllText(Path.Combine(copy.Path, "g"), "");
        copy.Remove(["d"u8.ToArray(), "d/e"u8.ToArray(), "g"u8.ToArray(), "absent/x"u8.ToArray()]);
        Assert.Empty(Directory.EnumerateFileSystemEntries(copy.Path));
    }

    [Fact]
    public void Those_used_longest_ago_go_when_there_are_too_many()
    {
        for (var i = 0; i < 40; i++)
        {
            using var copy = Store.ContextCopies.Open($"key {i}")!;
            copy.Keep([], $"{i}", 1);
        }

        Assert.Equal(32, Store.ContextCopies.List().Count);
        Assert.Contains(Store.ContextCopies.List(), copy => copy.Description == "39");
        Assert.DoesNotContain(Store.ContextCopies.List(), copy => copy.Description == "0");
    }
}
