namespace Sampan.Api;

/// <summary><c>GET /images/{name}/tree</c>: what each layer of an image does, lowest first. Sampan's own.</summary>
public sealed class ImageTree
{
    public string Id { get; set; } = "";
    public List<LayerChangesOf> Layers { get; set; } = [];
}

/// <summary>One layer of an <see cref="ImageTree"/>.</summary>
public sealed class LayerChangesOf
{
    public string DiffId { get; set; } = "";
    public string CreatedBy { get; set; } = "";

    /// <summary>Bytes of its regular files.</summary>
    public long Size { get; set; }

    public int Added { get; set; }
    public int Changed { get; set; }
    public int Deleted { get; set; }
    public List<PathChange> Changes { get; set; } = [];
}

/// <summary>A path that changed.</summary>
public sealed class PathChange
{
    /// <summary>As in <c>docker diff</c>: C, A or D.</summary>
    public string Kind { get; set; } = "";

    public string Path { get; set; } = "";

    /// <summary>Bytes of the new file; of a difference, so many more than before.</summary>
    public long Size { get; set; }

    /// <summary>Of a difference between images, what of the path it is: type, mode, owner, content, target, device.</summary>
    public List<string>? What { get; set; }
}

/// <summary><c>GET /images/{name}/diff</c>: how the file systems of two images differ. Sampan's own.</summary>
public sealed class ImageDifference
{
    public string From { get; set; } = "";
    public string To { get; set; } = "";
    public List<PathChange> Changes { get; set; } = [];
}

/// <summary><c>GET /images/{name}/waste</c>: what of an image nobody sees. Sampan's own.</summary>
public sealed class ImageWaste
{
    public string Id { get; set; } = "";

    /// <summary>Bytes of all layers.</summary>
    public long Size { get; set; }

    /// <summary>Bytes that later layers overwrite or delete.</summary>
    public long WastedBytes { get; set; }

    /// <summary>What hides most, largest first.</summary>
    public List<WastedFile> Wasted { get; set; } = [];

    /// <summary>Paths that several layers have, those with most bytes first.</summary>
    public List<RepeatedFile> Repeated { get; set; } = [];

    /// <summary>Where most of what is seen lies, largest first.</summary>
    public List<PathSize> Directories { get; set; } = [];
}

/// <summary>A file that a later layer overwrites or deletes. Layers are counted from 1, the lowest.</summary>
public sealed class WastedFile
{
    public string Path { get; set; } = "";
    public long Size { get; set; }
    public int Layer { get; set; }
    public int HiddenBy { get; set; }

    /// <summary>True when it is gone, false when it is another file now.</summary>
    public bool Deleted { get; set; }
}

/// <summary>A path that several layers have.</summary>
public sealed class RepeatedFile
{
    public string Path { get; set; } = "";

    /// <summary>Bytes in all of them together.</summary>
    public long Size { get; set; }

    public List<int> Layers { get; set; } = [];
}

/// <summary>A directory and the bytes in it.</summary>
public sealed class PathSize
{
    public string Path { get; set; } = "";
    public long Size { get; set; }
}

/// <summary><c>POST /images/fsck</c>: what a check of the store found. Sampan's own.</summary>
public sealed class StoreCheck
{
    /// <summary>Blobs and layers looked at.</summary>
    public int Blobs { get; set; }

    public int Layers { get; set; }

    /// <summary>Bytes read and hashed.</summary>
    public long Bytes { get; set; }

    public List<StoreFaultItem> Faults { get; set; } = [];
}

/// <summary>One thing that is not as it should be.</summary>
public sealed class StoreFaultItem
{
    public string Subject { get; set; } = "";
    public string Problem { get; set; } = "";
    public List<string> Images { get; set; } = [];

    /// <summary>What was done about it; absent when nothing was asked for.</summary>
    public string? Repair { get; set; }
}
