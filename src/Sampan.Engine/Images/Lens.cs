using Sampan.Api;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary>Looks into images, and checks the store.</summary>
public sealed partial class EngineService
{
    private const int WasteListed = 50;

    public Task<ImageTree> ImageTreeAsync(string name, CancellationToken cancel) => Task.Run(() =>
    {
        using var lease = _store.Lease();
        var image = _store.Images.Resolve(name);
        var layers = LayersOf(image);
        var changes = ImageLens.Of(layers, cancel).Changes.ToLookup(c => c.Layer);
        var steps = new Queue<string>((image.Config.History ?? []).Where(h => h.EmptyLayer != true).Select(h => h.CreatedBy ?? ""));
        return new ImageTree
        {
            Id = image.Id.ToString(),
            Layers =
            [
                .. layers.Select((layer, i) => new LayerChangesOf
                {
                    DiffId = layer.DiffId.ToString(),
                    CreatedBy = steps.TryDequeue(out var step) ? step : "",
                    Size = layer.Size,
                    Added = changes[i].Count(c => c.Kind == ChangeKind.Add),
                    Changed = changes[i].Count(c => c.Kind == ChangeKind.Modify),
                    Deleted = changes[i].Count(c => c.Kind == ChangeKind.Delete),
                    Changes = [.. changes[i].Select(c => new PathChange { Kind = Letter(c.Kind), Path = c.Path, Size = c.Bytes })],
                }),
            ],
        };
    }, cancel);

    public Task<ImageDifference> CompareImagesAsync(string from, string to, CancellationToken cancel) => Task.Run(() =>
    {
        using var lease = _store.Lease();
        var (a, b) = (_store.Images.Resolve(from), _store.Images.Resolve(to));
        var differences = ImageLens.Of(LayersOf(a), cancel).DifferencesTo(ImageLens.Of(LayersOf(b), cancel));
        return new ImageDifference
        {
            From = a.Id.ToString(),
            To = b.Id.ToString(),
            Changes =
            [
                .. differences.Select(d => new PathChange
                {
                    Kind = Letter(d.Kind),
                    Path = d.Path,
                    Size = d.Bytes,
                    What = d.What.Count > 0 ? [.. d.What] : null,
                }),
            ],
        };
    }, cancel);

    public Task<ImageWaste> ImageWasteAsync(string name, CancellationToken cancel) => Task.Run(() =>
    {
        using var lease = _store.Lease();
        var image = _store.Images.Resolve(name);
        var lens = ImageLens.Of(LayersOf(image), cancel);
        var hidden = lens.Changes.Where(c => c.HiddenBytes > 0).ToList();
        return new ImageWaste
        {
            Id = image.Id.ToString(),
            Size = image.Size,
            WastedBytes = hidden.Sum(c => c.HiddenBytes),
            Wasted =
            [
                .. hidden.OrderByDescending(c => c.HiddenBytes).ThenBy(c => c.Path, StringComparer.Ordinal).Take(WasteListed).Select(c => new WastedFile
                {
                    Path = c.Path,
                    Size = c.HiddenBytes,
                    Layer = c.HiddenLayer + 1,
                    HiddenBy = c.Layer + 1,
                    Deleted = c.Kind == ChangeKind.Delete,
                }),
            ],
            Repeated =
            [
                .. lens.Changes.Where(c => c.Bytes > 0).GroupBy(c => c.Path).Where(g => g.Count() > 1)
                    .Select(g => new RepeatedFile { Path = g.Key, Size = g.Sum(c => c.Bytes), Layers = [.. g.Select(c => c.Layer + 1)] })
                    .OrderByDescending(r => r.Size).ThenBy(r => r.Path, StringComparer.Ordinal).Take(WasteListed),
            ],
            Directories = [.. lens.Directories(WasteListed).Select(d => new PathSize { Path = d.Path, Size = d.Bytes })],
        };
    }, cancel);

    public async Task<StoreCheck> CheckImagesAsync(bool repair, CancellationToken cancel)
    {
        var report = await Task.Run(() => _store.Checker.CheckAsync(repair, UsersOf, cancel), cancel);
        return new StoreCheck
        {
            Blobs = report.Blobs,
            Layers = report.Layers,
            Bytes = report.Bytes,
            Faults = [.. report.Faults.Select(f => new StoreFaultItem { Subject = f.Subject, Problem = f.Problem, Images = [.. f.Images], Repair = f.Repair })],
        };
    }

    /// <summary>Lowest first.</summary>
    private List<Layer> LayersOf(ImageRecord image) => image.ChainId is { } chain ? [.. _store.Layers.Stack(chain).Reverse()] : [];

    private static string Letter(ChangeKind kind) => kind switch
    {
        ChangeKind.Add => "A",
        ChangeKind.Delete => "D",
        _ => "C",
    };
}
