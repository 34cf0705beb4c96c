using System.Formats.Tar;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>What a build sends, and what cp unpacks.</summary>
public sealed class BuildContextTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("sampan-context-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void The_ignore_file_leaves_out_and_brings_back()
    {
        Write("context/Dockerfile", "FROM scratch");
        Write("context/.dockerignore", "*.log\nnode_modules\n!node_modules/keep/me\nDockerfile\n");
        Write("context/a.log", "");
        Write("context/b.txt", "");
        Write("context/node_modules/x", "");
        Write("context/node_modules/keep/me", "");
        Assert.Equal(".dockerignore Dockerfile b.txt node_modules/keep/me", Names(BuildContext.FromDirectory(At("context"), "")));
    }

    [Fact]
    public void A_dockerfile_from_outside_travels_under_a_name_of_its_own()
    {
        Write("context/a", "");
        Write("other/Dockerfile", "FROM scratch\n");
        var context = BuildContext.FromDirectory(At("context"), At("other/Dockerfile"));
        Assert.StartsWith(".dockerfile.", context.Dockerfile, StringComparison.Ordinal);
        Assert.Equal($".dockerignore {context.Dockerfile} a", Names(context));
    }

    [Fact]
    public void A_dockerfile_deeper_inside_keeps_its_place()
    {
        Write("context/docker/My.Dockerfile", "FROM scratch\n");
        Assert.Equal("docker/My.Dockerfile", BuildContext.FromDirectory(At("context"), At("context/docker/My.Dockerfile")).Dockerfile);
    }

    [Fact]
    public void The_same_tree_gives_the_same_bytes_owned_by_root()
    {
        Write("context/Dockerfile", "FROM scratch");
        Write("context/z", "1");
        Write("context/a/b", "2");
        Directory.CreateSymbolicLink(At("context/link"), "a");
        using var first = new MemoryStream();
        using var second = new MemoryStream();
        BuildContext.FromDirectory(At("context"), "").Write(first);
        BuildContext.FromDirectory(At("context"), "").Write(second);
        Assert.Equal(first.ToArray(), second.ToArray());
        first.Position = 0;
        using var reader = new TarReader(first);
        while (reader.GetNextEntry() is { } entry) Assert.Equal((0, 0), (entry.Uid, entry.Gid));
    }

    [Theory]
    [InlineData("missing", "", "unable to prepare context: path \"ROOT/missing\" not found")]
    [InlineData("context", "ROOT/none", "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ROOT/none: no such file or directory")]
    [InlineData("context/file", "", "unable to prepare context: context must be a directory: ROOT/context/file")]
    public void What_is_missing_is_said(string directory, string dockerfile, string message)
    {
        Write("context/file", "");
        var error = Assert.Throws<CliException>(() => BuildContext.FromDirectory(At(directory), dockerfile.Replace("ROOT", _root, StringComparison.Ordinal)));
        Assert.Equal(message.Replace("ROOT", _root, StringComparison.Ordinal), error.Message);
    }

    [Fact]
    public void What_a_container_sends_is_unpacked_under_the_new_name()
    {
        using var archive = Archive(w =>
        {
            w.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "old/") { Mode = (UnixFileMode)0x1C0 });
            w.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "old/f") { DataStream = new MemoryStream("hi"u8.ToArray()) });
        });
        Assert.Equal(2, TreeExtraction.Extract(archive, At("new"), owners: false));
        Assert.Equal("hi", File.ReadAllText(At("new/f")));
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("a/../../evil")]
    public void An_entry_that_leads_outside_is_refused(string name)
    {
        using var archive = Archive(w => w.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)));
        Assert.Throws<CliException>(() => TreeExtraction.Extract(archive, At("target"), owners: false));
    }

    [Fact]
    public void An_entry_behind_a_link_of_the_archive_is_refused()
    {
        using var archive = Archive(w =>
        {
            w.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "x/"));
            w.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "x/out") { LinkName = _root });
            w.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "x/out/evil"));
        });
        Assert.Throws<CliException>(() => TreeExtraction.Extract(archive, At("target"), owners: false));
        Assert.False(File.Exists(At("evil")));
    }

    private static MemoryStream Archive(Action<TarWriter> write)
    {
        var stream = new MemoryStream();
        using (var writer = new TarWriter(stream, leaveOpen: true)) write(writer);
        stream.Position = 0;
        return stream;
    }

    private static string Names(BuildContext context)
    {
        using var stream = new MemoryStream();
        context.Write(stream);
        stream.Position = 0;
        using var reader = new TarReader(stream);
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry) names.Add(entry.Name);
        return string.Join(' ', names);
    }

    private string At(string path) => Path.Combine(_root, path);

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllText(At(path), text);
    }
}
