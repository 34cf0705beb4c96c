using Sampan.Linux;
using Sampan.Oci;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>Real archives become files as GNU tar would make them, and come back byte for byte.</summary>
public sealed class LayerApplyTests : StoreFixture
{
    private const string Tree = """
        mkdir -p t/d/e t/empty; cd t
        echo hello > a; ln a b; ln -s a l; ln -s /etc/passwd abs; mkfifo p; mknod c c 1 3; mknod k b 7 0
        chmod 4755 a; chown 12:34 d; chmod 1777 empty; printf 'x\0y' > "$(printf 'new\nline')"; printf z > "$(printf '\377\376')"
        head -c 300000 /dev/urandom > d/e/random; truncate -s 5M d/hole; echo end >> d/hole; for i in $(seq 40); do printf x | dd of=d/many bs=1 seek=$((i * 65536)) conv=notrunc status=none; done
        setfattr -n user.bin -v 0x00ff0a d/e/random 2>/dev/null || true
        setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 a
        mkdir -p $(printf 'long%.0s' $(seq 40))/$(printf 'name%.0s' $(seq 50)); echo deep > $(printf 'long%.0s' $(seq 40))/$(printf 'name%.0s' $(seq 50))/$(printf 'f%.0s' $(seq 200))
        touch -d '2001-02-03 04:05:06.123456789' a d empty; touch -hd '1960-01-01 00:00:00.5' l; cd ..;
        """;

    [Theory]
    [InlineData("--format=gnu")]
    [InlineData("--format=gnu --sparse")]
    [InlineData("--format=pax --xattrs --xattrs-include='*'")]
    [InlineData("--format=pax --sparse --sparse-version=0.0")]
    [InlineData("--format=pax --sparse --sparse-version=0.1")]
    [InlineData("--format=pax --sparse --sparse-version=1.0 --xattrs --xattrs-include='*'")]
    [InlineData("--format=pax --pax-option=globexthdr.name=g,comment=hi")]
    public void An_archive_of_gnu_tar_becomes_the_same_files_and_the_same_bytes(string options)
    {
        Sh($"cd \"$1\"; {Tree} tar {options} --numeric-owner -C t -cf a.tar .", Scratch);
        var tar = System.IO.File.ReadAllBytes(Path.Combine(Scratch, "a.tar"));
        var layer = Apply(tar);
        Assert.Equal(Digest.OfSha256(tar), layer.DiffId);
        Assert.Equal(tar, TarOf(layer));

        var nanoseconds = options.Contains("pax");
        var list = $"find . -printf '%P %y %#m %U:%G %s %n %l {(nanoseconds ? "%T@" : "%Ts")}\\n' | LC_ALL=C sort; getfattr -Rhd -m '{(options.Contains("xattrs") ? "." : "^none")}' . | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";
        var normalized = "sed -E 's/^( d [^ ]+ [^ ]+) [0-9]+/\\1/; s/^([^ ]* d [^ ]+ [^ ]+) [0-9]+/\\1/; s/(\\.[0-9]{9})0+$/\\1/'";
        Assert.Equal(Sh($"cd \"$1/t\"; ({list}) | {normalized}", Scratch), Sh($"cd \"$1\"; ({list}) | {normalized}", layer.DiffPath));
    }

    [Fact]
    public void An_archive_of_python_with_pax_headers_comes_back_byte_for_byte()
    {
        Sh("""
            cd "$1"; cat > make.py <<'PY'
            import tarfile, io
            with tarfile.open('p.tar', 'w', format=tarfile.PAX_FORMAT) as t:
                for name, size in [('é/ü', 5), ('y' * 90 + '/' + 'x' * 200, 7), ('big-uid', 1)]:
                    i = tarfile.TarInfo(name); i.size = size; i.mtime = 1234567890.25; i.uid = 3000000000 if name == 'big-uid' else 7
                    i.pax_headers = {'SCHILY.xattr.user.note': 'hi'}
                    t.addfile(i, io.BytesIO(b'0' * size))
            PY
            python3 make.py
            """, Scratch);
        var tar = System.IO.File.ReadAllBytes(Path.Combine(Scratch, "p.tar"));
        var layer = Apply(tar);
        Assert.Equal(tar, TarOf(layer));
        var stat = Sys.StatAt(Path.Combine(layer.DiffPath, "big-uid"));
        Assert.Equal((3000000000u, new FileTime(1234567890, 250_000_000)), (stat.Uid, stat.Modified));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    [InlineData("zstd")]
    public void Compression_is_found_by_its_first_bytes_and_does_not_change_the_digest(string tool)
    {
        Sh($"cd \"$1\"; {Tree} tar -C t -cf a.tar .; {tool} -c a.tar > a.packed", Scratch);
        var plain = System.IO.File.ReadAllBytes(Path.Combine(Scratch, "a.tar"));
        var layer = Apply(System.IO.File.ReadAllBytes(Path.Combine(Scratch, "a.packed")));
        Assert.Equal(Digest.OfSha256(plain), layer.DiffId);
        Assert.Equal(plain, TarOf(layer));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("cat")]
    public void A_truncated_archive_is_an_error_that_names_the_place_and_leaves_nothing(string tool)
    {
        Sh($"cd \"$1\"; {Tree} tar -C t -cf a.tar .; {tool} < a.tar > a.packed", Scratch);
        var packed = System.IO.File.ReadAllBytes(Path.Combine(Scratch, "a.packed"));
        var error = Assert.Throws<TarException>(() => Apply(packed[..(packed.Length / 2)]));
        Assert.Contains("at byte", error.Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void A_digest_that_differs_is_an_error_and_leaves_nothing()
    {
        var tar = Tar(Entry("a"));
        var wrong = Digest.OfSha256("x"u8);
        var error = Assert.Throws<StoreException>(() =>
            Store.Layers.ApplyAsync(new MemoryStream(tar), null, wrong, cancel: TestContext.Current.CancellationToken).GetAwaiter().GetResult());
        Assert.Equal(StoreErrorKind.Mismatch, error.Kind);
        Assert.Contains($"expected {wrong}", error.Message);
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void The_same_layer_on_the_same_parent_is_kept_once()
    {
        var first = Apply(Tar(Entry("a")));
        var second = Apply(Tar(Entry("a")));
        Assert.Equal(first, second);
        Assert.Equal(1, LayerDirectories());
        var above = Apply(Tar(Entry("a")), first.ChainId);
        Assert.NotEqual(first.ChainId, above.ChainId);
        Assert.Equal([above.DiffPath, first.DiffPath], Store.Layers.LowerDirs(above.ChainId));
    }

    [Fact]
    public void A_path_that_comes_twice_has_the_last_content_and_the_archive_still_comes_back()
    {
        Sh("""
            cd "$1"; echo one > f; mkdir d; echo in > d/x; tar -cf a.tar f d; rm -r f d; echo two > f; echo file > d; tar -rf a.tar f d; rm d; mkdir d; echo again > d/x; tar -rf a.tar d f
            """, Scratch);
        var tar = System.IO.File.ReadAllBytes(Path.Combine(Scratch, "a.tar"));
        var layer = Apply(tar);
        Assert.Equal("two\n", System.IO.File.ReadAllText(Path.Combine(layer.DiffPath, "f")));
        Assert.Equal("again\n", System.IO.File.ReadAllText(Path.Combine(layer.DiffPath, "d/x")));
        Assert.Equal(tar, TarOf(layer));
    }

    [Fact]
    public void Whiteouts_become_those_of_overlayfs_wherever_they_stand()
    {
        var layer = Apply(Tar(Entry(".wh.gone"), Entry("kept/", TarEntryKind.Directory, mode: 0x1ED), Entry("kept/.wh..wh..opq"),
            Entry("new/", TarEntryKind.Directory, mode: 0x1ED), Entry(".wh.new"), Entry(".wh.late"), Entry("late/", TarEntryKind.Directory, mode: 0x1ED), Entry(".wh..wh.plnk")));
        Assert.True(Sys.StatAt(Path.Combine(layer.DiffPath, "gone")).IsWhiteout);
        foreach (var name in (string[])["kept", "new", "late"])
        {
            var fd = Sys.Open(Path.Combine(layer.DiffPath, name), Sys.O_RDONLY);
            Assert.True(Overlay.IsOpaque(fd), name);
            Sys.Close(fd);
        }

        Assert.False(Path.Exists(Path.Combine(layer.DiffPath, ".wh..wh.plnk")));
    }

    [Fact]
    public void Directories_without_an_entry_look_as_they_do_below()
    {
        var below = Apply(Tar(Entry("./", TarEntryKind.Directory, mode: 0x1E8), Entry("d/", TarEntryKind.Directory, mode: 0x3FF)));
        var above = Apply(Tar(Entry("d/f"), Entry("other/f")), below.ChainId);
        Assert.Equal(0x3FFu, Sys.StatAt(Path.Combine(above.DiffPath, "d")).Permissions);
        Assert.Equal(0x1E8u, Sys.StatAt(above.DiffPath).Permissions);
        Assert.Equal((0x1EDu, new FileTime(1_700_000_000, 0)),
            (Sys.StatAt(Path.Combine(above.DiffPath, "other")).Permissions, Sys.StatAt(Path.Combine(above.DiffPath, "other")).Modified));
    }

    [Fact]
    public void Names_longer_than_a_path_are_unpacked_and_removed()
    {
        var name = string.Join('/', Enumerable.Repeat(new string('n', 200), 40)) + "/file";
        var tar = Tar(Entry(name, size: 3));
        var layer = Apply(tar);
        Assert.Equal(tar, TarOf(layer));
        Store.Layers.Collect();
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public async Task A_cancelled_apply_leaves_nothing()
    {
        using var cancel = new CancellationTokenSource();
        var source = new StallingStream(Tar(Entry("a", size: 100_000))[..5000], cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.Layers.ApplyAsync(source, null, cancel: cancel.Token));
        Assert.Equal(0, LayerDirectories());
    }

    /// <summary>Gives some bytes, then cancels and waits.</summary>
    private sealed class StallingStream(byte[] start, CancellationTokenSource cancel) : MemoryStream(start)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var n = Read(buffer.Span);
            if (n == 0)
            {
                cancel.CancelAfter(20);
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            return n;
        }
    }
}
