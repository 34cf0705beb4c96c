using System.Formats.Tar;
using System.IO.Compression;
using Sampan.Build.Context;
using Sampan.Build.Files;
using Sampan.Linux;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Where the files of a context that was sent go.</summary>
public sealed class ContextUnpackerTests : IDisposable
{
    private readonly BuildFixture _f = new();
    private readonly string _memory = Directory.CreateTempSubdirectory("sampan-memory-").FullName;

    public void Dispose()
    {
        _f.Dispose();
        Directory.Delete(_memory, recursive: true);
    }

    [Theory]
    [InlineData(1000, false, true, true)]
    [InlineData(1000, true, true, false)]
    [InlineData(17 << 20, false, true, false)]
    [InlineData(1000, false, false, false)]
    public async Task Small_plain_archives_go_into_memory(int size, bool compressed, bool hasMemory, bool inMemory)
    {
        _f.Store.MemoryRoot = hasMemory ? _memory : null;
        string path;
        using (var directory = await ContextUnpacker.UnpackAsync(_f.Store, Archive(size, compressed), null, default))
        {
            path = directory.Path;
            Assert.Equal(inMemory ? _memory : _f.Store.DataRoot, Path.GetDirectoryName(Path.GetDirectoryName(path)));
            Assert.Equal(Content(size), await File.ReadAllBytesAsync(Path.Combine(path, "d/file")));
        }

        Assert.False(Directory.Exists(path));
    }

    [Fact]
    public async Task A_broken_archive_leaves_nothing()
    {
        _f.Store.MemoryRoot = _memory;
        var whole = Archive(100_000, compressed: false);
        whole.SetLength(50_000);
        await Assert.ThrowsAnyAsync<Sampan.Store.StoreException>(() => ContextUnpacker.UnpackAsync(_f.Store, whole, null, default));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_memory, "tmp")));
    }

    [Fact]
    public async Task What_a_process_that_died_left_is_swept()
    {
        await _f.Store.SweepAsync(_memory);
        Directory.CreateDirectory(Path.Combine(TempDirectory.Create(_memory, "context").Path, "d/e"));
        await _f.Store.SweepAsync(_memory);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_memory, "tmp")));
    }

    [Theory]
    [InlineData("SCHILY.xattr.user.note", "text", "74657874")]
    [InlineData("LIBARCHIVE.xattr.user.note", "gP8A", "80ff00")]
    public async Task Extended_attributes_come_as_text_or_in_base64(string key, string value, string bytes)
    {
        var archive = new MemoryStream();
        using (var tar = new TarWriter(archive, leaveOpen: true))
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "file", new Dictionary<string, string> { [key] = value }));
        }

        archive.Position = 0;
        using var directory = await ContextUnpacker.UnpackAsync(_f.Store, archive, null, default);
        var found = Sys.GetXattrAt(Sys.AT_FDCWD, Bytes.FromText(Path.Combine(directory.Path, "file")), "user.note"u8);
        Assert.Equal(bytes, Convert.ToHexStringLower(found!));
    }

    private static byte[] Content(int size) => [.. Enumerable.Range(0, size).Select(i => (byte)(i * 7))];

    private static MemoryStream Archive(int size, bool compressed)
    {
        var archive = new MemoryStream();
        using (var gzip = compressed ? new GZipStream(archive, CompressionLevel.Fastest, leaveOpen: true) : null)
        using (var tar = new TarWriter((Stream?)gzip ?? archive, leaveOpen: true))
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "d/file") { DataStream = new MemoryStream(Content(size)) });
        }

        archive.Position = 0;
        return archive;
    }
}
