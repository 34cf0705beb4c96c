using System.Buffers;
using System.IO.Pipelines;
using Sampan.Build.Files;
using Sampan.Store;

namespace Sampan.Build.Context;

/// <summary>Turns the tar that a client sends into a directory of the build's own.</summary>
public static class ContextUnpacker
{
    /// <summary>
    /// Archives up to this size in bytes are unpacked in memory. Making and removing thousands of files is what a small context costs, and
    /// that is ten times as fast there as on a disk.
    /// </summary>
    private const int SmallBytes = 16 << 20;

    /// <summary>The memory has to have so many times the archive's size to spare.</summary>
    private const int Spare = 8;

    private const int MagicAt = 257;

    /// <summary>
    /// Unpacks a tar, compressed or not. On failure and cancellation nothing stays. Dispose the directory after the build.
    /// </summary>
    /// <exception cref="StoreException">The archive is damaged, hostile or beyond a limit.</exception>
    public static async Task<TempDirectory> UnpackAsync(Store.Store store, Stream tar, ApplyLimits? limits, CancellationToken cancel)
    {
        var reader = PipeReader.Create(tar, new StreamPipeReaderOptions(bufferSize: 256 * 1024, leaveOpen: true));
        var directory = TempDirectory.Create(await FitsMemoryAsync(store, reader, cancel) ? store.MemoryRoot! : store.DataRoot, "context");
        try
        {
            await using var whole = reader.AsStream();
            await TarTree.ExtractAsync(whole, directory.Path, "/", new() { Limits = limits ?? store.Layers.Limits }, cancel);
            return directory;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Looks ahead: all of it is here, it is small, and it is not compressed, so that it stays small.</summary>
    private static async Task<bool> FitsMemoryAsync(Store.Store store, PipeReader reader, CancellationToken cancel)
    {
        if (store.MemoryRoot is not { } root || new DriveInfo(root).AvailableFreeSpace < (long)SmallBytes * Spare)
        {
            return false;
        }

        var head = await reader.ReadAtLeastAsync(SmallBytes + 1, cancel);
        var isTar = head.Buffer.Length >= MagicAt + 5 && head.Buffer.Slice(MagicAt, 5).ToArray().AsSpan().SequenceEqual("ustar"u8);
        var fits = isTar && head.IsCompleted && head.Buffer.Length <= SmallBytes;
        reader.AdvanceTo(head.Buffer.Start);
        return fits;
    }
}
