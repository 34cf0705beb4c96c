using Sampan.Linux;

namespace Sampan.Store;

/// <summary>A file or directory of an image's merged file system.</summary>
internal sealed class LensNode(string name, FileStat stat, int layer)
{
    public string Name => name;

    public FileStat Stat { get; private set; } = stat;

    /// <summary>The layer it comes from, counted from the lowest.</summary>
    public int Layer { get; private set; } = layer;

    /// <summary>Bytes that its layer holds for it: 0 for what is no regular file, and for a further link of one.</summary>
    public long Bytes { get; init; }

    /// <summary>By name, in order; empty for what is no directory.</summary>
    public SortedDictionary<string, LensNode> Children { get; } = new(StringComparer.Ordinal);

    /// <summary>A directory that a layer above has too.</summary>
    public void Raise(FileStat newStat, int newLayer) => (Stat, Layer) = (newStat, newLayer);

    /// <summary>The node and all below it with their paths, depth first.</summary>
    public IEnumerable<(string Path, LensNode Node)> All(string path)
    {
        var pending = new Stack<(string, LensNode)>([(path, this)]);
        while (pending.TryPop(out var next))
        {
            yield return next;
            foreach (var child in next.Item2.Children.Values.Reverse())
            {
                pending.Push(($"{next.Item1}/{child.Name}", child));
            }
        }
    }
}
