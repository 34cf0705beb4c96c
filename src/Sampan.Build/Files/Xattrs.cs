using Sampan.Linux;

namespace Sampan.Build.Files;

/// <summary>The extended attributes that belong to a file and not to the machine it lies on.</summary>
internal static class Xattrs
{
    /// <summary>Names in byte order. overlayfs's own are left out, and so is the host's security label.</summary>
    public static IReadOnlyList<byte[]> Names(MergedNode node)
    {
        using var at = Place.Of(node.RealPath);
        var list = Sys.ListXattrAt(at.Directory, at.Name);
        if (list.IsEmpty)
        {
            return [];
        }

        List<byte[]> names = [];
        foreach (var range in list.Split((byte)0))
        {
            var name = list[range];
            if (!name.IsEmpty && !name.StartsWith("trusted.overlay."u8) && !name.SequenceEqual("security.selinux"u8))
            {
                names.Add(name.ToArray());
            }
        }

        names.Sort((a, b) => a.AsSpan().SequenceCompareTo(b));
        return names;
    }

    /// <summary>The attributes with their values, in byte order of the names.</summary>
    public static IEnumerable<(byte[] Name, byte[] Value)> Of(MergedNode node)
    {
        foreach (var name in Names(node))
        {
            if (Value(node, name) is { } value)
            {
                yield return (name, value);
            }
        }
    }

    /// <summary>An attribute's value; null when it went meanwhile.</summary>
    public static byte[]? Value(MergedNode node, byte[] name)
    {
        using var at = Place.Of(node.RealPath);
        return Sys.GetXattrAt(at.Directory, at.Name, name);
    }
}
