using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// Unpacks a layer: whiteouts (image-spec, layer.md) become overlayfs's, and the recipe learns where each content went. A whiteout speaks of the
/// layers below only, wherever in the archive it stands: beside a directory of the same name it makes that opaque.
/// </summary>
internal sealed class LayerExtractor(int root, ApplyLimits limits, RecipeWriter recipe, ShadowIndex.Writer shadow)
    : TreeExtractor(root, [], new ExtractOptions { Limits = limits })
{
    /// <summary>The root's own entry was there.</summary>
    public bool HasRoot { get; private set; }

    /// <summary>The whole of what lies below is hidden.</summary>
    public bool IsRootOpaque { get; private set; }

    /// <summary>The time of the first entry: for directories that have none of their own.</summary>
    public FileTime FirstTime { get; private set; }

    /// <summary>Directories without an entry of their own, by real path.</summary>
    public List<byte[]> Implied => Directories.Implied;

    protected override void AddRoot(TarEntry entry)
    {
        HasRoot = true;
        SetRoot(entry);
    }

    protected override bool IsMarker(TarEntry entry, byte[] parent, byte[] name)
    {
        if (Reader.Entries == 1)
        {
            FirstTime = entry.Modified;
        }

        if (!name.AsSpan().StartsWith(".wh."u8))
        {
            return false;
        }

        if (name.AsSpan().SequenceEqual(Overlay.OpaqueMarker))
        {
            IsRootOpaque |= parent.Length == 0;
            Overlay.SetOpaque(OpenParent(parent));
            return true;
        }

        // What else begins so is AUFS's bookkeeping.
        if (name.AsSpan().StartsWith(".wh..wh."u8))
        {
            return true;
        }

        var hidden = name[Overlay.WhiteoutPrefix.Length..];
        if (hidden.Length == 0 || hidden.AsSpan().SequenceEqual("."u8) || hidden.AsSpan().SequenceEqual(".."u8))
        {
            throw Reader.Error("the whiteout names no file");
        }

        Hide(OpenParent(parent), hidden);
        return true;
    }

    protected override void Replace(int parent, byte[] name, in FileStat existing)
    {
        // What may hold content that the recipe refers to is kept aside.
        if (existing.IsDirectory || (existing.IsRegular && existing.Size > 0))
        {
            Size -= existing.IsRegular ? existing.Size : 0;
            shadow.Take(parent, name, EntryPath.Join(Directories.Real, name), recipe.Files);
            return;
        }

        base.Replace(parent, name, existing);
    }

    protected override void OnFile(TarEntry entry, byte[] path)
    {
        recipe.File(path);
        foreach (var part in entry.Sparse ?? [new SparsePart(0, entry.Size)])
        {
            recipe.Data(part.Offset, part.Length);
        }
    }

    protected override void OnDirectoryReplaced(int directory, in FileStat replaced)
    {
        if (replaced.IsWhiteout)
        {
            Overlay.SetOpaque(directory);
        }
    }

    private void Hide(int parent, byte[] name)
    {
        var errno = Sys.TryMknodAt(parent, name, FileStat.S_IFCHR, 0, 0);
        if (errno == Errno.EEXIST)
        {
            if (Sys.StatAt(parent, name).IsDirectory)
            {
                var fd = Sys.OpenAt(parent, name, Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_NOFOLLOW);
                Overlay.SetOpaque(fd);
                Sys.Close(fd);
            }

            return;
        }

        if (errno != 0)
        {
            throw Failure(errno, "whiteout");
        }
    }
}
