namespace Sampan.Store;

/// <summary>Names of entries as paths relative to a root: no empty, "." or ".." parts, no slash at either end.</summary>
internal static class EntryPath
{
    /// <summary>
    /// Cleans a name by its text alone. Absolute names become relative, and ".." at their top stays there, as a root's does; a relative name
    /// that climbs out gives null.
    /// </summary>
    public static byte[]? Clean(ReadOnlySpan<byte> name)
    {
        if (IsClean(name))
        {
            return name.ToArray();
        }

        var absolute = name.StartsWith("/"u8);
        var result = new byte[name.Length];
        var length = 0;
        foreach (var range in name.Split((byte)'/'))
        {
            var part = name[range];
            if (part.IsEmpty || part.SequenceEqual("."u8))
            {
                continue;
            }

            if (part.SequenceEqual(".."u8))
            {
                if (length == 0 && !absolute)
                {
                    return null;
                }

                length = Math.Max(0, result.AsSpan(0, length).LastIndexOf((byte)'/'));
                continue;
            }

            if (length > 0)
            {
                result[length++] = (byte)'/';
            }

            part.CopyTo(result.AsSpan(length));
            length += part.Length;
        }

        return result[..length];
    }

    /// <summary>The directory and the last part.</summary>
    public static (byte[] Parent, byte[] Name) Split(ReadOnlySpan<byte> path)
    {
        var slash = path.LastIndexOf((byte)'/');
        return slash < 0 ? ([], path.ToArray()) : (path[..slash].ToArray(), path[(slash + 1)..].ToArray());
    }

    /// <summary>A name below a directory, "" being the root.</summary>
    public static byte[] Join(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name)
    {
        if (directory.IsEmpty)
        {
            return name.ToArray();
        }

        var path = new byte[directory.Length + 1 + name.Length];
        directory.CopyTo(path);
        path[directory.Length] = (byte)'/';
        name.CopyTo(path.AsSpan(directory.Length + 1));
        return path;
    }

    /// <summary>True when <paramref name="path"/> is <paramref name="directory"/> or lies below it.</summary>
    public static bool IsWithin(ReadOnlySpan<byte> path, ReadOnlySpan<byte> directory) =>
        directory.IsEmpty || (path.StartsWith(directory) && (path.Length == directory.Length || path[directory.Length] == (byte)'/'));

    private static bool IsClean(ReadOnlySpan<byte> name)
    {
        // The usual name has no part that begins with a dot or is empty.
        if (name.IsEmpty || name[0] is (byte)'/' or (byte)'.' || name[^1] == (byte)'/')
        {
            return false;
        }

        return name.IndexOf("//"u8) < 0 && name.IndexOf("/."u8) < 0;
    }
}
