using System.Security.Cryptography;
using System.Text;
using Sampan.Build.Context;
using Sampan.Build.Files;
using Sampan.Linux;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Files are read once, and never trusted when they may have changed.</summary>
public sealed class FileDigestsTests : IDisposable
{
    private readonly BuildFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Fact]
    public void An_untouched_file_is_read_once()
    {
        _f.Files("a=A", "d/b=B");
        Thread.Sleep(100); // longer than a tick of the clock, or they count as just written
        Assert.Equal((2, Hash("A")), ReadAll());
        Assert.Equal((0, Hash("A")), ReadAll());
    }

    [Fact]
    public void A_file_just_written_is_read_again()
    {
        _f.Files("a=A", "d/b=B");
        Assert.Equal((2, Hash("A")), ReadAll());
        Assert.Equal((2, Hash("A")), ReadAll());
    }

    [Fact]
    public void A_change_shows_whatever_its_size_and_time_say()
    {
        _f.Files("a=A", "d/b=B");
        var path = Path.Combine(_f.Context, "a");
        var time = File.GetLastWriteTimeUtc(path);
        Thread.Sleep(100);
        ReadAll();
        File.WriteAllText(path, "Z");
        File.SetLastWriteTimeUtc(path, time);
        Assert.Equal((1, Hash("Z")), ReadAll());
    }

    [Fact]
    public void A_file_in_the_place_of_another_is_read()
    {
        _f.Files("a=A", "d/b=B", "other=O");
        Thread.Sleep(100);
        ReadAll();
        File.Move(Path.Combine(_f.Context, "other"), Path.Combine(_f.Context, "a"), overwrite: true);
        Assert.Equal(Hash("O"), ReadAll().First);
    }

    [Fact]
    public void Without_a_memo_everything_is_read()
    {
        _f.Files("a=A", "d/b=B");
        Thread.Sleep(100);
        ReadAll();
        Assert.Equal((2, Hash("A")), ReadAll(useMemo: false));
    }

    [Fact]
    public async Task A_file_that_changes_between_its_digest_and_its_copy_stops_the_build()
    {
        _f.Files("a=A");
        var digests = new FileDigests(_f.Store.FileMemo, mayChange: true);
        var file = new MergedView([_f.Context]).Resolve("/a").Node!;
        digests.Of(file, default);
        await File.WriteAllTextAsync(Path.Combine(_f.Context, "a"), "B", TestContext.Current.CancellationToken);
        using var upper = TempDirectory.Create(_f.Store.DataRoot, "test");
        using var writer = new LayerWriter(upper.Path, new MergedView([]), new(0x1ED, 0, 0, default), digests);
        var error = Assert.Throws<IOException>(() => writer.Copy(file, "/a", new(0x1A4, 0, 0, default)));
        Assert.StartsWith("'a' changed while the build was reading it", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_vanishes_before_it_is_read_or_copied_is_named()
    {
        _f.Files("d/a=A", "d/b=B");
        var view = new MergedView([_f.Context]);
        var (a, b) = (view.Resolve("/d/a").Node!, view.Resolve("/d/b").Node!);
        var digests = new FileDigests(_f.Store.FileMemo, mayChange: true);
        digests.Of(b, default);
        Directory.Delete(Path.Combine(_f.Context, "d"), recursive: true);
        Assert.Equal("'d/a' vanished while the build was reading it", Assert.Throws<IOException>(() => digests.Of(a, default)).Message);
        using var upper = TempDirectory.Create(_f.Store.DataRoot, "test");
        using var writer = new LayerWriter(upper.Path, new MergedView([]), new(0x1ED, 0, 0, default), digests);
        Assert.Equal("'d/b' vanished while the build was reading it", Assert.Throws<IOException>(() => writer.Copy(b, "/b", new(0x1A4, 0, 0, default))).Message);
    }

    [Fact]
    public void A_symlink_put_in_the_way_later_is_not_followed()
    {
        _f.Files("d/secret=inside", "elsewhere/secret=outside");
        var file = new MergedView([_f.Context]).Resolve("/d/secret").Node!;
        Directory.Delete(Path.Combine(_f.Context, "d"), recursive: true);
        _f.Files("d->elsewhere");
        Assert.Equal(Errno.ELOOP, Assert.Throws<SyscallException>(() => new FileDigests(null, true).Of(file, default)).Errno);
    }

    private (int Read, string First) ReadAll(bool useMemo = true)
    {
        var digests = new FileDigests(useMemo ? _f.Store.FileMemo : null, mayChange: true);
        var view = new MergedView([_f.Context]);
        var (a, b) = (view.Resolve("/a").Node!, view.Resolve("/d/b").Node!);
        var first = digests.Of(a, default);
        digests.Of(b, default);
        digests.Save();
        return (digests.FilesRead, first);
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
