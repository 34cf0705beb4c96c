using Microsoft.Win32.SafeHandles;
using Sampan.Linux;
using Sampan.Store;

namespace Sampan.Build.Files;

/// <summary>Local archives that ADD unpacks: tar, alone or in gzip, bzip2, xz or zstd.</summary>
internal static class Archive
{
    private static ReadOnlySpan<byte> Gzip => [0x1F, 0x8B, 8];

    private static ReadOnlySpan<byte> Xz => [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0];

    private static ReadOnlySpan<byte> Zstd => [0x28, 0xB5, 0x2F, 0xFD];

    /// <summary>True when the first bytes are those of a tar or of something compressed.</summary>
    public static bool IsLikely(MergedNode file)
    {
        Span<byte> head = stackalloc byte[512];
        var fd = MergedView.Open(file);
        try
        {
            var length = 0;
            while (length < head.Length && Sys.Read(fd, head[length..], length) is > 0 and var n)
            {
                length += n;
            }

            head = head[..length];
        }
        finally
        {
            Sys.Close(fd);
        }

        return head.StartsWith(Gzip) || head.StartsWith("BZh"u8) || head.StartsWith(Xz)
            || head.StartsWith(Zstd) || IsTarHeader(head);
    }

    /// <summary>Unpacks into an empty directory; false when it is compressed, but no tar, so that it is to be copied as it is.</summary>
    /// <exception cref="StoreException">It is a tar, but damaged, hostile or beyond a limit.</exception>
    public static bool Unpack(MergedNode file, string directory, ApplyLimits limits, CancellationToken cancel)
    {
        using var handle = new SafeFileHandle(MergedView.Open(file), ownsHandle: true);
        using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        try
        {
            // The planner that asks is synchronous, and the work is this thread's own anyway.
            TarTree.ExtractAsync(stream, directory, "/", new() { Limits = limits }, cancel).GetAwaiter().GetResult();
            return true;
        }
        catch (TarException e) when (e.Offset < 512 && e.Entry is null)
        {
            return false;
        }
    }

    /// <summary>The sum in a tar header holds, whatever flavour it is of (old ones have no magic).</summary>
    private static bool IsTarHeader(ReadOnlySpan<byte> head)
    {
        if (head.Length < 512)
        {
            return false;
        }

        var sum = 8 * 32; // the field itself counts as blanks
        for (var i = 0; i < 512; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : head[i];
        }

        var stored = 0;
        foreach (var c in head[148..156].Trim(" \0"u8))
        {
            if (c is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            stored = (stored * 8) + (c - '0');
        }

        return stored == sum && sum != 8 * 32;
    }
}
