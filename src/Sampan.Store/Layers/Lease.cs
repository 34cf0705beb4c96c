namespace Sampan.Store;

/// <summary>Keeps layers from being collected while an operation works with them; see <see cref="Store.Lease"/>. Dispose may be called twice.</summary>
public sealed class Lease : IDisposable
{
    private readonly LayerStore _layers;
    private int _disposed;

    internal Lease(LayerStore layers, long since)
    {
        _layers = layers;
        Since = since;
    }

    /// <summary>Layers touched at this count or later are protected.</summary>
    internal long Since { get; }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _layers.Release(this);
        }
    }
}
