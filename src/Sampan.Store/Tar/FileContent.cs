using Sampan.Linux;

namespace Sampan.Store;

/// <summary>Writes an entry's content to a file: straight from the pipe's buffers, with holes where the archive has long runs of zeros.</summary>
internal static class FileContent
{
    /// <summary>Shorter runs of zeros are written: a hole costs an extent.</summary>
    private const int HoleBytes = 64 * 1024;

    public static void Write(TarReader reader, TarEntry entry, int fd)
    {
        if (entry.Sparse is null)
        {
            var end = Copy(reader, fd, entry.StoredSize);
            if (end < entry.Size)
            {
                Sys.Truncate(fd, entry.Size);
            }

            return;
        }

        foreach (var part in entry.Sparse)
        {
            Sys.Seek(fd, part.Offset, Sys.SEEK_SET);
            Copy(reader, fd, part.Length);
        }

        Sys.Truncate(fd, entry.Size);
    }

    /// <summary>Gives how many bytes are in the file; a hole at the end is not there yet.</summary>
    private static long Copy(TarReader reader, int fd, long length)
    {
        var (done, written) = (0L, 0L);
        while (done < length)
        {
            var bytes = reader.TakeContent(length - done);
            done += bytes.Length;
            if (bytes.Length >= HoleBytes && bytes[0] == 0 && !bytes.ContainsAnyExcept((byte)0))
            {
                Sys.Seek(fd, bytes.Length, Sys.SEEK_CUR);
                continue;
            }

            Sys.Write(fd, bytes);
            written = done;
        }

        return written;
    }
}
