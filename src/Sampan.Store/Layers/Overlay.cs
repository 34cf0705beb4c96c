using Sampan.Linux;

namespace Sampan.Store;

/// <summary>How overlayfs records in a directory what it hides (Documentation/filesystems/overlayfs.rst), and how layers spell the same.</summary>
internal static class Overlay
{
    public static ReadOnlySpan<byte> WhiteoutPrefix => ".wh."u8;

    public static ReadOnlySpan<byte> OpaqueMarker => ".wh..wh..opq"u8;

    public static ReadOnlySpan<byte> XattrPrefix => "trusted.overlay."u8;

    private static ReadOnlySpan<byte> OpaqueXattr => "trusted.overlay.opaque"u8;

    /// <summary>Hides what lower layers have in an open directory.</summary>
    public static void SetOpaque(int directory)
    {
        var errno = Sys.TrySetXattr(directory, OpaqueXattr, "y"u8);
        if (errno != 0)
        {
            throw new SyscallException("setxattr", "'trusted.overlay.opaque'", errno);
        }
    }

    /// <summary>True when an open directory hides what lower layers have in it.</summary>
    public static bool IsOpaque(int directory) => Sys.GetXattr(directory, OpaqueXattr).AsSpan().SequenceEqual("y"u8);
}
