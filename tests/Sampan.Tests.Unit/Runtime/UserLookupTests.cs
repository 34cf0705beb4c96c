using System.Diagnostics;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>Users by a container's own files, read through its layers.</summary>
public sealed class UserLookupTests : IDisposable
{
    private const string Passwd = """
        root:x:0:0:root:/root:/bin/sh
        web:x:101:102:Web:/srv/www:/bin/sh
        7:x:500:500::/seven:
        broken
        """;

    private const string Group = """
        root:x:0:root
        web:x:102:
        video:x:44:web,root
        audio:x:29:web
        """;

    private readonly string _root = Directory.CreateTempSubdirectory("sampan-user").FullName;

    public UserLookupTests()
    {
        Write("base/etc/passwd", Passwd);
        Write("base/etc/group", Group);
    }

    public void Dispose() => Directory.Delete(_root, true);

    [Theory]
    [InlineData("", 0, 0, "0 44", "/root")]
    [InlineData("web", 101, 102, "102 44 29", "/srv/www")]
    [InlineData("101", 101, 102, "102 44 29", "/srv/www")]
    [InlineData("web:audio", 101, 29, "29", "/srv/www")]
    [InlineData("web:4000", 101, 4000, "4000", "/srv/www")]
    [InlineData("4000", 4000, 0, "0", "/")]
    [InlineData("4000:4001", 4000, 4001, "4001", "/")]
    [InlineData("7", 7, 0, "0", "/")] // a number is an id, even where a user has that name
    public void A_user_is_resolved_as_Docker_does(string user, uint uid, uint gid, string groups, string home)
    {
        var found = UserLookup.Resolve(user, null, Layers("base"));
        Assert.Equal((uid, gid, groups, home), (found.Uid, found.Gid, string.Join(' ', found.AdditionalGids), found.Home));
    }

    [Fact]
    public void Further_groups_come_by_name_or_number() =>
        Assert.Equal([102, 44, 29, 555], UserLookup.Resolve("web", ["audio", "555"], Layers("base")).AdditionalGids);

    [Theory]
    [InlineData("nobody", "unable to find user nobody: no matching entries in passwd file")]
    [InlineData("web:staff", "unable to find group staff: no matching entries in group file")]
    [InlineData("-1", "unable to find user -1: no matching entries in passwd file")]
    [InlineData("4294967295", "unable to find user 4294967295: no matching entries in passwd file")]
    public void Who_is_not_there_is_named(string user, string message) =>
        Assert.Equal(message, Assert.Throws<UserNotFoundException>(() => UserLookup.Resolve(user, null, Layers("base"))).Message);

    [Fact]
    public void An_image_without_the_files_has_root_and_numbers()
    {
        Directory.CreateDirectory(Path.Combine(_root, "empty"));
        Assert.Equal((0u, 0u), (UserLookup.Resolve("", null, Layers("empty")).Uid, UserLookup.Resolve("0:0", null, Layers("empty")).Gid));
        Assert.Throws<UserNotFoundException>(() => UserLookup.Resolve("root", null, Layers("empty")));
    }

    [Fact]
    public void The_topmost_layer_that_has_the_file_wins()
    {
        Write("top/etc/passwd", "web:x:900:900::/new:");
        Assert.Equal(900u, UserLookup.Resolve("web", null, Layers("top", "base")).Uid);
    }

    [Fact]
    public void A_whiteout_and_an_opaque_directory_hide_what_is_below()
    {
        Directory.CreateDirectory(Path.Combine(_root, "gone/etc"));
        Run("mknod", Path.Combine(_root, "gone/etc/passwd"), "c", "0", "0");
        Assert.Null(Layers("gone", "base").Read("/etc/passwd"));
        Assert.NotNull(Layers("gone", "base").Read("/etc/group"));

        Directory.CreateDirectory(Path.Combine(_root, "opaque/etc"));
        Run("python3", "-c", "import os,sys; os.setxattr(sys.argv[1], 'trusted.overlay.opaque', b'y')", Path.Combine(_root, "opaque/etc"));
        Assert.Null(Layers("opaque", "base").Read("/etc/group"));
    }

    [Fact]
    public void Symlinks_stay_in_the_container_and_may_cross_layers()
    {
        Write("links/data/passwd", "linked:x:1:1::/:");
        Directory.CreateDirectory(Path.Combine(_root, "links/etc"));
        File.CreateSymbolicLink(Path.Combine(_root, "links/etc/passwd"), "../../../../data/passwd");
        Assert.Equal("linked:x:1:1::/:"u8, Layers("links", "base").Read("/etc/passwd")!);

        Directory.CreateDirectory(Path.Combine(_root, "absolute/etc"));
        File.CreateSymbolicLink(Path.Combine(_root, "absolute/etc/passwd"), "/etc/group");
        Assert.StartsWith("root:x:0:root", System.Text.Encoding.UTF8.GetString(Layers("absolute", "base").Read("/etc/passwd")!));

        Directory.CreateDirectory(Path.Combine(_root, "loop/etc"));
        File.CreateSymbolicLink(Path.Combine(_root, "loop/etc/passwd"), "passwd");
        Assert.Null(Layers("loop").Read("/etc/passwd"));
    }

    [Fact]
    public void A_mounted_root_is_not_left_by_a_symlink_either()
    {
        Directory.CreateDirectory(Path.Combine(_root, "plain/etc"));
        File.CreateSymbolicLink(Path.Combine(_root, "plain/etc/passwd"), "/../../../../../../etc/hostname");
        Assert.Null(ContainerFiles.OfDirectory(Path.Combine(_root, "plain")).Read("/etc/passwd"));
    }

    private ContainerFiles Layers(params string[] names) => ContainerFiles.OfOverlay(new OverlayRootfs([.. names.Select(n => Path.Combine(_root, n))], null, null));

    private void Write(string path, string text)
    {
        var full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    private static void Run(string command, params string[] arguments)
    {
        using var process = Process.Start(command, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
