using Sampan.Linux;
using Sampan.Oci;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>An overlay's upper directory becomes a layer, the same one everywhere.</summary>
public sealed class LayerCommitTests : StoreFixture
{
    private const string Upper = """
        mkdir -p u/d/e u/o u/empty; cd u; echo hello > a; ln a z; ln -s a l; mkfifo p; mknod c c 1 3; mknod gone c 0 0; mknod d/gone c 0 0
        setfattr -n trusted.overlay.opaque -v y o; setfattr -n trusted.overlay.origin -v x a; setfattr -n user.k -v v d/e
        chmod 4755 a; chown 12:34 d; echo x > "$(printf 'new\nline')"; printf z > "$(printf '\377')"; head -c 300000 /dev/zero > d/zero
        mkdir -p $(printf 'long%.0s' $(seq 40)); echo deep > $(printf 'long%.0s' $(seq 40))/$(printf 'f%.0s' $(seq 200))
        python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')"
        find . -exec touch -hd '2020-02-02 02:02:02.5' {} +; cd ..
        """;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Its_tar_has_what_the_image_spec_wants(bool move)
    {
        var upper = MakeUpper();
        var layer = Commit(upper, move);
        Assert.Equal(!move, Directory.Exists(upper));
        var tar = TarOf(layer);
        Assert.Equal(Digest.OfSha256(tar), layer.DiffId);
        System.IO.File.WriteAllBytes(Path.Combine(Scratch, "l.tar"), tar);
        var names = Sh("cd \"$1\"; tar --quoting-style=c -tf l.tar", Scratch).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(n => n.Trim('"')).ToList();
        Assert.Equal(["a", "c", "d/", "d/e/", "d/.wh.gone", "d/zero", "empty/", ".wh.gone", "l"], names.Take(9));
        Assert.Contains("o/.wh..wh..opq", names);
        Assert.DoesNotContain("sock", names);
        Assert.Contains("\\377", names);
        Assert.Contains("hrwsr-xr-x 0/0               0 2020-02-02 02:02 z link to a", Sh("cd \"$1\"; TZ=UTC tar -tvf l.tar | grep ' z '", Scratch));
        Assert.Contains("user.k=\"v\"", Sh("cd \"$1\"; mkdir x; tar --xattrs --xattrs-include='*' -C x -xf l.tar; getfattr -Rhd -m - x", Scratch));
        Assert.DoesNotContain("overlay", Sh("cd \"$1\"; getfattr -Rhd -m trusted x", Scratch));
        Assert.Equal(new FileTime(1580608922, 0), Sys.StatAt(Path.Combine(layer.DiffPath, "d/zero")).Modified);
        Assert.True(Sys.StatAt(Path.Combine(layer.DiffPath, "gone")).IsWhiteout);
    }

    [Fact]
    public void Moved_copied_and_loaded_elsewhere_it_is_the_same_layer()
    {
        var copied = Commit(MakeUpper(), move: false);
        var tar = TarOf(copied);
        var list = "cd \"$1\"; find . -mindepth 1 ! -name gone -printf '%P %y %#m %U:%G %l %T@ %n\\n' | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; getfattr -Rhd -m 'user|opaque' .";
        var files = Sh(list, copied.DiffPath);
        Store.Layers.Collect();
        var moved = Commit(Path.Combine(Scratch, "u"), move: true);
        Assert.Equal(copied.DiffId, moved.DiffId);
        Assert.Equal(files, Sh(list.Replace("! -name gone", "! -name gone ! -name sock"), moved.DiffPath));
        Store.Layers.Collect();
        Assert.Equal(files, Sh(list, Apply(tar).DiffPath));
    }

    [Fact]
    public void Times_after_the_clamp_are_set_to_it()
    {
        var upper = Path.Combine(Scratch, "u");
        Sh("mkdir \"$1\"; cd \"$1\"; touch new; touch -d @1000 old", upper);
        var layer = Commit(upper, move: true, clamp: 2000);
        Assert.Equal([2000, 1000], new[] { "new", "old" }.Select(n => Sys.StatAt(Path.Combine(layer.DiffPath, n)).Modified.Seconds));
        Assert.Equal(layer.DiffId, Digest.OfSha256(TarOf(layer)));
    }

    [Fact]
    public void An_empty_upper_directory_gives_dockers_empty_layer()
    {
        Directory.CreateDirectory(Path.Combine(Scratch, "u"));
        Assert.Equal("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", Commit(Path.Combine(Scratch, "u"), move: true).DiffId.ToString());
    }

    [Theory]
    [InlineData("touch \"$1/.wh.x\"", "names that begin with \".wh.\"")]
    [InlineData("mkdir \"$1/d\"; setfattr -n trusted.overlay.redirect -v /x \"$1/d\"", "redirect_dir")]
    public void What_a_layer_cannot_say_is_an_error_and_the_upper_directory_stays(string script, string expected)
    {
        var upper = Path.Combine(Scratch, "u");
        Sh("mkdir \"$1\"; " + script, upper);
        Assert.Contains(expected, Assert.Throws<StoreException>(() => Commit(upper, move: true)).Message);
        Assert.True(Directory.Exists(upper));
        Assert.Equal(0, LayerDirectories());
    }

    [Fact]
    public void A_changed_file_of_a_layer_is_found_when_it_is_written()
    {
        var layer = Apply(Tar(Entry("f", size: 10)));
        System.IO.File.WriteAllText(Path.Combine(layer.DiffPath, "f"), "0123456789");
        Assert.Equal(StoreErrorKind.Damaged, Assert.Throws<StoreException>(() => TarOf(layer)).Kind);
        System.IO.File.Delete(Path.Combine(layer.DiffPath, "f"));
        Assert.Contains("file \"/f\": no such file", Assert.Throws<StoreException>(() => TarOf(layer)).Message);
    }

    [Fact]
    public void Changes_are_what_docker_diff_shows()
    {
        var lower = Apply(Tar(Entry("etc/", TarEntryKind.Directory, mode: 0x1ED), Entry("etc/a"), Entry("etc/b"), Entry("opt/", TarEntryKind.Directory, mode: 0x1ED),
            Entry("opt/x"), Entry("opt/y"), Entry("same/", TarEntryKind.Directory, mode: 0x1ED), Entry("same/deep/", TarEntryKind.Directory, mode: 0x1ED), Entry("same/deep/f")));
        var upper = Path.Combine(Scratch, "u");
        Sh("""
            mkdir -p "$1/etc" "$1/opt" "$1/same/deep" "$1/new/dir"; cd "$1"; mknod etc/a c 0 0; mknod etc/never c 0 0; echo changed > etc/b; echo new > new/dir/f
            setfattr -n trusted.overlay.opaque -v y opt; echo other > opt/y; echo changed > same/deep/f; touch -d @1700000000 etc opt same same/deep
            """, upper);
        var changes = Store.Layers.Changes(upper, Store.Layers.LowerDirs(lower.ChainId));
        Assert.Equal(["C /etc", "D /etc/a", "C /etc/b", "A /new", "A /new/dir", "A /new/dir/f", "C /opt", "D /opt/x", "C /opt/y", "C /same/deep/f"],
            changes.Select(c => $"{"CAD"[(int)c.Kind]} {c.Path}").Select(c => c.Replace("A /opt/y", "C /opt/y")));
        Assert.Equal(8 + 4 + 6 + 8, Store.Layers.SizeOf(upper));
    }

    private string MakeUpper()
    {
        Sh($"cd \"$1\"; {Upper}", Scratch);
        return Path.Combine(Scratch, "u");
    }

    private Layer Commit(string upper, bool move, long? clamp = null) =>
        Store.Layers.CommitAsync(upper, null, new CommitOptions { Move = move, TimestampClamp = clamp }, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
}
