using System.Text.Json;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>One thing in the store that is not as it should be.</summary>
/// <param name="Subject">What: <c>blob sha256:…</c>, <c>layer sha256:…</c>, <c>image sha256:…</c> or <c>directory NAME</c>.</param>
/// <param name="Problem">What is wrong with it.</param>
/// <param name="Images">The images that need it: familiar names, or the ID of one that has none.</param>
/// <param name="Repair">What was done about it, or why nothing could be; null when nothing was asked for.</param>
public sealed record StoreFault(string Subject, string Problem, IReadOnlyList<string> Images, string? Repair = null);

/// <summary>What a check looked at and found.</summary>
/// <param name="Bytes">Read and hashed, of blobs and of layers' tars.</param>
public sealed record StoreReport(int Blobs, int Layers, long Bytes, IReadOnlyList<StoreFault> Faults);

/// <summary>
/// <c>image fsck</c>: every blob and every unpacked layer against its digest, images against their layers, and what nothing refers to. Others may
/// work with the store meanwhile.
/// </summary>
public sealed class StoreChecker
{
    private const int SuspectsNamed = 5;

    private readonly BlobStore _blobs;
    private readonly LayerStore _layers;
    private readonly ImageStore _images;
    private readonly BuildCache _cache;

    internal StoreChecker(BlobStore blobs, LayerStore layers, ImageStore images, BuildCache cache) =>
        (_blobs, _layers, _images, _cache) = (blobs, layers, images, cache);

    /// <summary>Checks everything.</summary>
    /// <param name="repair">
    /// Also removes what is loose, and the images and cache entries that stand on something damaged, so that they can be fetched or built again.
    /// An image that a container uses stays.
    /// </param>
    /// <param name="containers">Names the containers that use an image.</param>
    public async Task<StoreReport> CheckAsync(bool repair, Func<Digest, IReadOnlyList<ImageUser>> containers, CancellationToken cancel)
    {
        using var lease = _layers.Lease();
        var faults = new List<StoreFault>();
        var stacks = new Dictionary<Digest, List<ChainId>>();
        var damagedImages = new HashSet<Digest>();
        var (blobs, layers, bytes) = (0, 0, 0L);

        // :: 1 images: configuration and stack
        foreach (var id in _images.Ids())
        {
            blobs++;
            var (problem, size, stack) = CheckImage(id);
            (stacks[id], bytes) = (stack, bytes + size);
            if (problem is not null && _images.Ids().Contains(id))
            {
                damagedImages.Add(id);
                faults.Add(new StoreFault($"image {id}", problem, Names([id])));
            }
        }

        // :: 2 layers
        var damagedLayers = new HashSet<ChainId>();
        foreach (var layer in _layers.List())
        {
            cancel.ThrowIfCancellationRequested();
            layers++;
            bytes += layer.TarSize;
            if (await CheckLayerAsync(layer, cancel) is { } problem && _layers.Peek(layer.ChainId) is not null)
            {
                damagedLayers.Add(layer.ChainId);
                var users = stacks.Where(s => s.Value.Contains(layer.ChainId)).Select(s => s.Key).ToList();
                damagedImages.UnionWith(users);
                faults.Add(new StoreFault($"layer {layer.DiffId}", problem, Names(users)));
            }
        }

        // :: 3 what nothing refers to
        var looseBlobs = _images.LooseBlobs();
        var looseDirectories = _layers.LooseDirectories();
        faults.AddRange(looseBlobs.Select(b => new StoreFault($"blob {b}", "no image has it", [])));
        faults.AddRange(looseDirectories.Select(d => new StoreFault($"directory layers/{Path.GetFileName(d)}", "no layer has it", [])));

        // :: 4 repair
        if (repair)
        {
            var kept = Drop(damagedImages, damagedLayers, containers);
            looseDirectories.ForEach(TreeRemover.Remove);
            _images.Sweep();
            faults = [.. faults.Select(f => f with { Repair = f.Images.Intersect(kept.Keys).FirstOrDefault() is { } name ? kept[name] : "removed" })];
        }

        return new StoreReport(blobs, layers, bytes, faults);
    }

    /// <summary>What is wrong with an image itself, the bytes read, and its stack as far as it is known.</summary>
    private (string? Problem, long Bytes, List<ChainId> Stack) CheckImage(Digest id)
    {
        var stack = new List<ChainId>();
        byte[] json;
        try
        {
            json = _blobs.Read(id);
            ChainId? below = null;
            foreach (var diffId in ImageJson.ParseConfig(json).RootFs.DiffIds)
            {
                stack.Add(ChainId.Extend(below, diffId));
                below = stack[^1];
            }
        }
        catch (Exception e) when (e is StoreException or JsonException or IOException)
        {
            return (e.Message, 0, stack);
        }

        var missing = stack.FindIndex(chain => _layers.Peek(chain) is null);
        return (missing < 0 ? null : $"its layer {missing + 1} of {stack.Count} is missing", json.Length, stack);
    }

    private async Task<string?> CheckLayerAsync(Layer layer, CancellationToken cancel)
    {
        try
        {
            await _layers.WriteTarAsync(layer, Stream.Null, cancel);
            return null;
        }
        catch (Exception e) when (e is StoreException or IOException or SyscallException)
        {
            var suspects = Directory.Exists(layer.DiffPath) ? Suspects(layer) : [];
            return suspects.Count == 0 ? e.Message : $"{e.Message}; changed since it was made: {string.Join(", ", suspects)}";
        }
    }

    /// <summary>The files that somebody wrote to: nobody can set back the time that the kernel keeps of that.</summary>
    private static List<string> Suspects(Layer layer)
    {
        var made = new FileTime(layer.Created.ToUnixTimeSeconds(), (uint)(layer.Created.Ticks % TimeSpan.TicksPerSecond * 100));
        var suspects = new List<string>();
        var root = Sys.Open(layer.DiffPath, Sys.O_RDONLY | Sys.O_DIRECTORY);
        try
        {
            using var walker = new TreeWalker(root, []);
            while (walker.Next() && suspects.Count < SuspectsNamed)
            {
                if (walker.Stat.IsDirectory)
                {
                    walker.Enter();
                }
                else if (walker.Stat.Changed.CompareTo(made) > 0)
                {
                    suspects.Add("/" + Bytes.ToText(walker.Path));
                }
            }
        }
        finally
        {
            Sys.Close(root);
        }

        return suspects;
    }

    /// <summary>Forgets images and cache entries; gives the names of those that had to stay, and why.</summary>
    private Dictionary<string, string> Drop(HashSet<Digest> images, HashSet<ChainId> layers, Func<Digest, IReadOnlyList<ImageUser>> containers)
    {
        var kept = new Dictionary<string, string>();
        foreach (var id in images)
        {
            if (containers(id) is [var user, ..])
            {
                kept[Names([id])[0]] = $"kept, as container {user.ContainerId[..Math.Min(12, user.ContainerId.Length)]} uses it";
            }
            else
            {
                _images.Forget(id);
            }
        }

        // Also collects the layers that nothing needs any more.
        _cache.Prune(entry => entry.Layer is { } top && StandsOn(top, layers));
        return kept;
    }

    private bool StandsOn(ChainId top, HashSet<ChainId> layers)
    {
        for (ChainId? next = top; next is { } chain; next = _layers.Peek(chain)?.Parent)
        {
            if (layers.Contains(chain))
            {
                return true;
            }
        }

        return false;
    }

    private List<string> Names(List<Digest> ids) =>
        [.. ids.SelectMany(id => _images.FamiliarNames(id).ToList() is { Count: > 0 } names ? names : [id.ToString()])];
}
