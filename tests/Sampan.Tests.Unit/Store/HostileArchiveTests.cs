using System.Text;
using Sampan.Linux;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>Whatever an archive tries, nothing happens outside of its layer, and what cannot be is one line that says where.</summary>
public sealed class HostileArchiveTests : StoreFixture
{
    private string Outside => Path.Combine(Scratch, "outside");

    [Theory]
    [InlineData("../evil", "the name leads outside of the archive's root")]
    [InlineData("a/../../evil", "the name leads outside of the archive's root")]
    [InlineData("..", "the name leads outside of the archive's root")]
    [InlineData(".wh...", "the whiteout names no file")]
    [InlineData(".wh..", "the whiteout names no file")]
    [InlineData(".wh.", "the whiteout names no file")]
    [InlineData(".", "an entry that is no directory names the archive's root")]
    public void A_name_that_leads_outside_is_refused(string name, string expected)
    {
        var error = Assert.Throws<TarException>(() => Apply(Tar(Entry("before"), Entry(name))));
        Assert.StartsWith(expected, error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void Absolute_names_are_inside_of_the_layer()
    {
        var layer = Apply(Tar(Entry("/etc/x"), Entry("/../../y")));
        Assert.True(System.IO.File.Exists(Path.Combine(layer.DiffPath, "etc/x")));
        Assert.True(System.IO.File.Exists(Path.Combine(layer.DiffPath, "y")));
    }

    [Fact]
    public void A_symlink_that_leads_outside_is_kept_and_nothing_follows_it_there()
    {
        Directory.CreateDirectory(Outside);
        var up = string.Concat(Enumerable.Repeat("../", 30)) + Outside[1..];
        var layer = Apply(Tar(Entry("abs", TarEntryKind.Symlink, Outside), Entry("rel", TarEntryKind.Symlink, up),
            Entry(Outside + "/", TarEntryKind.Directory, mode: 0x1ED), Entry("abs/a"), Entry("rel/b"), Entry("abs/.wh.c"), Entry("rel/sub/d")));
        Assert.Empty(Directory.GetFileSystemEntries(Outside));
        var inside = Path.Combine(layer.DiffPath, Outside[1..]);
        Assert.Equal(["a", "b", "c", "sub"], Directory.GetFileSystemEntries(inside).Select(Path.GetFileName).Order());
        Assert.Equal(Outside, new FileInfo(Path.Combine(layer.DiffPath, "abs")).LinkTarget);
    }

    [Fact]
    public void A_file_over_a_symlink_replaces_it_and_does_not_write_through_it()
    {
        Directory.CreateDirectory(Outside);
        var target = Path.Combine(Outside, "victim");
        System.IO.File.WriteAllText(target, "safe");
        var layer = Apply(Tar(Entry("f", TarEntryKind.Symlink, target), Entry("f", size: 10), Entry("d", TarEntryKind.Symlink, Outside), Entry("d/", TarEntryKind.Directory)));
        Assert.Equal("safe", System.IO.File.ReadAllText(target));
        Assert.True(Sys.StatAt(Path.Combine(layer.DiffPath, "f")).IsRegular);
        Assert.True(Sys.StatAt(Path.Combine(layer.DiffPath, "d")).IsDirectory);
    }

    [Theory]
    [InlineData("../../etc/passwd", "outside of the archive's root")]
    [InlineData("missing", "no such file or directory")]
    [InlineData("d", "is a directory")]
    [InlineData("l", "names itself")]
    public void A_hard_link_to_outside_or_nowhere_is_refused(string target, string expected)
    {
        var error = Assert.Throws<TarException>(() => Apply(Tar(Entry("d/", TarEntryKind.Directory), Entry("l", TarEntryKind.HardLink, target))));
        Assert.Contains(expected, error.Message);
        Assert.Contains("entry \"l\"", error.Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void A_hard_link_through_a_symlink_stays_inside()
    {
        var error = Assert.Throws<TarException>(() => Apply(Tar(Entry("a", TarEntryKind.Symlink, "/etc"), Entry("b", TarEntryKind.HardLink, "a/passwd"))));
        Assert.Contains("no such file or directory", error.Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void Names_with_newlines_are_one_line_in_an_error()
    {
        var error = Assert.Throws<TarException>(() => Apply(Tar(Entry("x\nFROM evil\n/../../y"))));
        Assert.Contains("x\\x0aFROM evil", error.Message);
    }

    [Fact]
    public void An_entry_that_claims_ten_terabytes_fails_at_once()
    {
        var tar = Tar(Entry("small"));
        var huge = new System.Buffers.ArrayBufferWriter<byte>();
        TarHeader.Write(huge, new TarEntry { Name = "huge"u8.ToArray(), Kind = TarEntryKind.Regular, Size = 10_995_116_277_760, StoredSize = 10_995_116_277_760 });
        byte[] all = [.. tar[..512], .. huge.WrittenSpan, .. new byte[4096]];
        Assert.Contains("more than is left of the limit", Assert.Throws<TarException>(() => Apply(all)).Message);
        var unlimited = Assert.Throws<TarException>(() => Store.Layers.ApplyAsync(new MemoryStream(all), null, limits: new ApplyLimits { TotalBytes = 0 },
            cancel: TestContext.Current.CancellationToken).GetAwaiter().GetResult());
        Assert.Contains("the archive is truncated", unlimited.Message);
        Assert.Contains("\"huge\"", unlimited.Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void More_entries_than_the_limit_are_refused()
    {
        var tar = Tar([.. Enumerable.Range(0, 101).Select(i => Entry($"f{i}"))]);
        var error = Assert.Throws<TarException>(() => Store.Layers.ApplyAsync(new MemoryStream(tar), null, limits: new ApplyLimits { Entries = 100 },
            cancel: TestContext.Current.CancellationToken).GetAwaiter().GetResult());
        Assert.StartsWith("more than 100 entries", error.Message);
    }

    [Fact]
    public void An_extended_header_beyond_the_limit_is_refused_before_it_is_read()
    {
        var tar = Tar(Entry(new string('n', 2_000_000)));
        Assert.Contains("extended header claims", Assert.Throws<TarException>(() => Apply(tar)).Message);
    }

    [Fact]
    public void Attributes_of_overlayfs_do_not_come_from_archives()
    {
        var entry = Entry("d/", TarEntryKind.Directory);
        var hostile = new TarEntry { Name = entry.Name, Kind = entry.Kind, Mode = 0x1ED, Xattrs = [("trusted.overlay.redirect"u8.ToArray(), "/etc"u8.ToArray()), ("user.ok"u8.ToArray(), "1"u8.ToArray())] };
        var layer = Apply(Tar(hostile));
        var fd = Sys.Open(Path.Combine(layer.DiffPath, "d"), Sys.O_RDONLY);
        Assert.Null(Sys.GetXattr(fd, "trusted.overlay.redirect"u8));
        Assert.Equal("1", Encoding.UTF8.GetString(Sys.GetXattr(fd, "user.ok"u8)!));
        Sys.Close(fd);
    }

    [Fact]
    public void Random_damage_gives_an_error_or_a_layer_but_never_anything_else()
    {
        Sh("""
            cd "$1"; mkdir -p t/d; echo hi > t/a; ln t/a t/b; ln -s a t/l; head -c 3000 /dev/urandom > t/d/r; truncate -s 200K t/d/h; echo x >> t/d/h; setfattr -n user.x -v y t/a
            tar --format=pax --sparse --xattrs -C t -cf pax.tar .; tar --format=gnu --sparse -C t -cf gnu.tar .
            """, Scratch);
        var random = new Random(20240601);
        foreach (var name in (string[])["pax.tar", "gnu.tar"])
        {
            var original = System.IO.File.ReadAllBytes(Path.Combine(Scratch, name));
            for (var round = 0; round < 150; round++)
            {
                var tar = (byte[])original.Clone();
                for (var i = random.Next(1, 6); i > 0; i--)
                {
                    // Most of it is zeros: hit the headers, which begin blocks.
                    var at = random.Next(tar.Length / 512) * 512 + random.Next(random.Next(2) == 0 ? 512 : 160);
                    tar[at] = (byte)random.Next(256);
                }

                FixSums(tar, random.Next(3) > 0);
                Survives(random.Next(4) == 0 ? tar[..random.Next(tar.Length)] : tar);
            }
        }

        Store.Layers.Collect();
        Assert.Equal(0, LayerDirectories());
    }

    private void Survives(byte[] tar)
    {
        try
        {
            var layer = Apply(tar);
            Assert.Equal(tar, TarOf(layer));
        }
        catch (Exception e) when (e is TarException or IOException)
        {
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    /// <summary>Makes damaged headers pass their checksum, or they would all fail at the same place.</summary>
    private static void FixSums(byte[] tar, bool fix)
    {
        for (var block = 0; fix && block + 512 <= tar.Length; block += 512)
        {
            var header = tar.AsSpan(block, 512);
            if (header.Slice(257, 5).SequenceEqual("ustar"u8))
            {
                header.Slice(148, 8).Fill((byte)' ');
                var sum = 0;
                foreach (var b in header)
                {
                    sum += b;
                }

                TarNumbers.TryWriteOctal(header.Slice(148, 7), sum);
            }
        }
    }
}
