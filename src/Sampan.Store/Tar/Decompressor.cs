using System.IO.Compression;
using SharpCompress.Compressors.BZip2;
using SharpCompress.Compressors.Xz;

namespace Sampan.Store;

/// <summary>Finds an archive's compression by its first bytes and takes it away.</summary>
internal static class Decompressor
{
    /// <summary>Enough for the longest magic number.</summary>
    public const int MagicBytes = 6;

    /// <summary>The compression's name, for messages; null for none.</summary>
    public static string? Detect(ReadOnlySpan<byte> start) =>
        start.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]) ? "gzip"
        : start.StartsWith("BZh"u8) ? "bzip2"
        : start.StartsWith((ReadOnlySpan<byte>)[0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]) ? "xz"
        : IsZstd(start) ? "zstd"
        : null;

    /// <summary>The uncompressed bytes.</summary>
    public static Stream Open(SyncSource source, out string? format)
    {
        format = Detect(source.Peek(MagicBytes));
        return format switch
        {
            "gzip" => new GZipStream(source, CompressionMode.Decompress, leaveOpen: true),
            "bzip2" => BZip2Stream.Create(source, SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: true, leaveOpen: true),
            "xz" => new XZStream(source),
            "zstd" => new ZstdSharp.DecompressionStream(source, leaveOpen: true, checkEndOfStream: true),
            _ => source,
        };
    }

    private static bool IsZstd(ReadOnlySpan<byte> start) =>
        start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD])
        || (start.Length >= 4 && (start[0] & 0xF0) == 0x50 && start[1..].StartsWith((ReadOnlySpan<byte>)[0x2A, 0x4D, 0x18]));
}
