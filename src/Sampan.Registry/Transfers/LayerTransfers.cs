using System.IO.Pipelines;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Registry;

/// <summary>
/// The layers that are on their way: fetched, checked, inflated and unpacked at the same time, each into a directory of its own. Pulls that
/// need the same layer of a registry share one transfer; it stops, and what it made is removed, when the last of them has left.
/// </summary>
internal sealed class LayerTransfers(LayerStore layers, int places)
{
    private readonly Dictionary<(string Registry, Digest Blob), LayerTransfer> _transfers = [];
    private readonly SemaphoreSlim _places = new(places);
    private readonly Lock _gate = new();

    /// <summary>Starts a transfer or joins one; <see cref="LeaveAsync"/> must follow.</summary>
    /// <param name="report">Is told what happens, from now on.</param>
    public LayerTransfer Join(RepositoryClient client, Descriptor blob, Action<TransferMessage> report)
    {
        var key = (client.Base.Authority, blob.Digest);
        lock (_gate)
        {
            if (!_transfers.TryGetValue(key, out var transfer))
            {
                _transfers[key] = transfer = new LayerTransfer(layers, client, blob, _places);
            }

            transfer.Watch(report);
            return transfer;
        }
    }

    /// <summary>The pull needs the transfer no longer, be it placed or not. Returns when nothing of it is at work for this pull.</summary>
    public async Task LeaveAsync(LayerTransfer transfer, Action<TransferMessage> report)
    {
        lock (_gate)
        {
            if (!transfer.Unwatch(report))
            {
                return;
            }

            _transfers.Remove((transfer.Client.Base.Authority, transfer.Blob.Digest));
        }

        await transfer.EndAsync();
    }
}

/// <summary>One layer on its way.</summary>
internal sealed class LayerTransfer
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(100);

    private readonly LayerStore _layers;
    private readonly SemaphoreSlim _places;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _placing = new(1, 1);
    private readonly Lock _gate = new();
    private readonly List<Action<TransferMessage>> _watchers = [];
    private readonly Task<UnpackedLayer> _work;
    private UnpackedLayer? _unpacked;
    private Layer? _placed;
    private TransferMessage _last;
    private long _reportedAt;

    public LayerTransfer(LayerStore layers, RepositoryClient client, Descriptor blob, SemaphoreSlim places)
    {
        (_layers, Client, Blob, _places) = (layers, client, blob, places);
        _last = Item("Waiting");
        _work = Task.Run(RunAsync);
    }

    public RepositoryClient Client { get; }

    public Descriptor Blob { get; }

    public void Watch(Action<TransferMessage> report)
    {
        lock (_gate)
        {
            _watchers.Add(report);
            report(_last);
        }
    }

    /// <summary>True when nobody watches any more.</summary>
    public bool Unwatch(Action<TransferMessage> report)
    {
        lock (_gate)
        {
            _watchers.Remove(report);
            return _watchers.Count == 0;
        }
    }

    /// <summary>Waits for the layer and puts it on a parent; for a second parent it is made again from the first's.</summary>
    /// <exception cref="StoreException">Its content has another digest than the image's configuration says.</exception>
    public async Task PlaceAsync(ChainId? parent, Digest diffId, CancellationToken cancel)
    {
        var unpacked = await _work.WaitAsync(cancel);
        await _placing.WaitAsync(cancel);
        try
        {
            if (unpacked.DiffId != diffId)
            {
                throw new RegistryException(RegistryErrorKind.Mismatch,
                    $"filesystem layer verification failed for digest {Blob.Digest}: uncompressed it has digest {unpacked.DiffId}, "
                    + $"the image's configuration says {diffId}");
            }

            if (_layers.Get(ChainId.Extend(parent, diffId)) is { } present)
            {
                _placed ??= present;
            }
            else if (Interlocked.Exchange(ref _unpacked, null) is { } mine)
            {
                _placed = _layers.Register(mine, parent, diffId);
            }
            else
            {
                await _layers.CopyAsync(_placed!, parent, cancel);
            }
        }
        finally
        {
            _placing.Release();
        }
    }

    /// <summary>Stops what still works and removes what nobody took.</summary>
    public async Task EndAsync()
    {
        await _stop.CancelAsync();
        await ((Task)_work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Interlocked.Exchange(ref _unpacked, null) is { } unused)
        {
            LayerStore.Discard(unused);
        }

        _stop.Dispose();
    }

    private async Task<UnpackedLayer> RunAsync()
    {
        var cancel = _stop.Token;
        await _places.WaitAsync(cancel);
        try
        {
            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 4 << 20, resumeWriterThreshold: 2 << 20,
                minimumSegmentSize: 64 << 10, useSynchronizationContext: false));
            var fetching = FetchAsync(pipe.Writer, cancel);
            UnpackedLayer unpacked;
            try
            {
                await using var reader = pipe.Reader.AsStream();
                unpacked = await _layers.UnpackAsync(reader, ApplyLimits.Default, null, cancel);
            }
            catch (Exception e)
            {
                await pipe.Reader.CompleteAsync(e);

                // Bytes of a wrong digest rarely inflate: then it is the digest that is to be told.
                await fetching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (fetching.Exception?.InnerException is RegistryException wrong)
                {
                    throw wrong;
                }

                throw e is TarException ? new StoreException(StoreErrorKind.InvalidInput, $"layer {Blob.Digest}: {e.Message}", e)
                    : Rethrown(e);
            }

            try
            {
                await fetching;
            }
            catch
            {
                LayerStore.Discard(unpacked);
                throw;
            }

            return _unpacked = unpacked;
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task FetchAsync(PipeWriter writer, CancellationToken cancel)
    {
        Report(Item("Downloading"));
        await new BlobDownload(Client, Blob, Progress).RunAsync(writer, cancel);
        Report(Item("Verifying Checksum"));
        Report(Item("Download complete"));
        Report(Item("Extracting") with { Current = Blob.Size, Total = Blob.Size });
    }

    private void Progress(long offset)
    {
        var now = Environment.TickCount64;
        if (now - _reportedAt >= ReportEvery.TotalMilliseconds)
        {
            _reportedAt = now;
            Report(Item("Downloading") with { Current = offset, Total = Blob.Size });
        }
    }

    private void Report(TransferMessage message)
    {
        lock (_gate)
        {
            _last = message;
            _watchers.ForEach(w => w(message));
        }
    }

    private TransferMessage Item(string status) => new(Blob.Digest.Short, status, IsItem: true);

    private static Exception Rethrown(Exception e)
    {
        System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e);
        return e;
    }
}
