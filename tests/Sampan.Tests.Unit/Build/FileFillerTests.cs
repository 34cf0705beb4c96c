using Sampan.Build.Context;
using Sampan.Build.Files;
using Sampan.Linux;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Many files at once: more than one thread fills them.</summary>
public sealed class FileFillerTests : IDisposable
{
    private const int Many = 500;
    private readonly BuildFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Fact]
    public void Many_files_get_their_own_content_and_attributes_and_the_last_source_of_a_path_wins()
    {
        _f.Files([.. Enumerable.Range(0, Many).Select(i => $"f{i}=content {i}")]);
        using var upper = TempDirectory.Create(_f.Store.DataRoot, "test");
        using var writer = new LayerWriter(upper.Path, new MergedView([]), new(0x1ED, 0, 0, default));
        var view = new MergedView([_f.Context]);
        foreach (var i in Enumerable.Range(0, Many).Concat([7]))
        {
            writer.Copy(view.Resolve($"/f{i}").Node!, $"/{i % (Many - 1)}", new(0x100u + ((uint)i % 0x80), (uint)i, 5, new(1000 + i, 0)));
        }

        writer.Finish();
        Assert.Equal(Many - 1, Directory.GetFiles(upper.Path).Length);
        for (var name = 0; name < Many - 1; name++)
        {
            var source = name == 0 ? Many - 1 : name;
            var path = Path.Combine(upper.Path, $"{name}");
            Assert.Equal($"content {source}", File.ReadAllText(path));
            Assert.Equal(DateTime.UnixEpoch.AddSeconds(1000 + source), File.GetLastWriteTimeUtc(path));
            Assert.Equal(0x100 + (source % 0x80), (int)File.GetUnixFileMode(path));
        }
    }

    [Fact]
    public void A_hard_link_whose_first_name_another_source_took_has_its_own_content()
    {
        _f.Files("x/f=first", "y/f=second");
        foreach (var other in (ReadOnlySpan<string>)["y/g", "y/h"])
        {
            Assert.Equal(0, Sys.TryLinkAt(Sys.AT_FDCWD, InContext("x/f"), Sys.AT_FDCWD, InContext(other)));
        }

        var view = new MergedView([_f.Context]);
        using var upper = TempDirectory.Create(_f.Store.DataRoot, "test");
        using var writer = new LayerWriter(upper.Path, new MergedView([]), new(0x1ED, 0, 0, default));
        foreach (var (source, target) in (ReadOnlySpan<(string, string)>)[("/x/f", "/f"), ("/y/f", "/f"), ("/y/g", "/g"), ("/y/h", "/h")])
        {
            writer.Copy(view.Resolve(source).Node!, target, new(0x1A4, 0, 0, default));
        }

        writer.Finish();
        Assert.Equal("second", File.ReadAllText(Path.Combine(upper.Path, "f")));
        Assert.Equal("first", File.ReadAllText(Path.Combine(upper.Path, "g")));
        Assert.Equal(Sys.StatAt(Path.Combine(upper.Path, "g")).Inode, Sys.StatAt(Path.Combine(upper.Path, "h")).Inode);
    }

    private byte[] InContext(string path) => Bytes.FromText(Path.Combine(_f.Context, path));

    [Fact]
    public void An_error_of_another_thread_comes_to_the_caller_and_no_descriptor_is_left()
    {
        _f.Files([.. Enumerable.Range(0, Many).Select(i => $"f{i}=content {i}")]);
        var view = new MergedView([_f.Context]);
        var nodes = Enumerable.Range(0, Many).Select(i => view.Resolve($"/f{i}").Node!).ToList();
        var digests = new FileDigests(_f.Store.FileMemo, mayChange: true);
        nodes.ForEach(node => digests.Of(node, default));
        File.Delete(Path.Combine(_f.Context, "f300"));
        using var upper = TempDirectory.Create(_f.Store.DataRoot, "test");
        using (var writer = new LayerWriter(upper.Path, new MergedView([]), new(0x1ED, 0, 0, default), digests))
        {
            var error = Assert.Throws<IOException>(() =>
            {
                nodes.ForEach(node => writer.Copy(node, node.RealPath[_f.Context.Length..], new(0x1A4, 0, 0, default)));
                writer.Finish();
            });
            Assert.Equal("'f300' vanished while the build was reading it", error.Message);
        }

        Assert.DoesNotContain(Directory.GetFiles("/proc/self/fd").Select(fd => new FileInfo(fd).LinkTarget ?? ""), target => target.StartsWith(upper.Path, StringComparison.Ordinal));
    }
}
