using System.Security.Cryptography;

namespace Sampan.Store;

/// <summary>
/// The first half of unpacking, on a thread of its own: reads, inflates, hashes, and fills the pipe that the second half reads from.
/// </summary>
internal sealed class TarFeed : IDisposable
{
    private readonly CancellationTokenSource _stop;
    private readonly Task _task;
    private byte[] _hash = [];

    /// <param name="hashing">Whether <see cref="Finish"/> shall give the digest of the uncompressed bytes.</param>
    public TarFeed(Stream source, bool hashing, IProgress<long>? progress, CancellationToken cancel)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _task = Task.Factory.StartNew(() => Run(source, hashing, progress), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public ChunkPipe Pipe { get; } = new();

    /// <summary>After the pipe was read to its end: the SHA-256 of what went through.</summary>
    public byte[] Finish()
    {
        _task.Wait();
        return _hash;
    }

    /// <summary>Stops the thread if it still runs, and waits for it: nobody reads the source afterwards.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        Pipe.Abandon();
        _task.Wait();
        _stop.Dispose();
    }

    private void Run(Stream source, bool hashing, IProgress<long>? progress)
    {
        Exception? failure = null;
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Pump(new SyncSource(source, progress, _stop.Token), hashing ? hash : null);
            _hash = hash.GetHashAndReset();
        }
        catch (Exception e)
        {
            failure = e;
        }

        Pipe.Complete(failure);
    }

    private void Pump(SyncSource source, IncrementalHash? hash)
    {
        string? format = null;
        try
        {
            using var stream = Decompressor.Open(source, out format);
            while (Pipe.Rent(_stop.Token) is { } buffer)
            {
                // Full buffers, as inflaters give small pieces.
                var have = 0;
                for (int n; have < buffer.Length && (n = stream.Read(buffer, have, buffer.Length - have)) > 0;)
                {
                    have += n;
                }

                if (have == 0)
                {
                    return;
                }

                hash?.AppendData(buffer, 0, have);
                Pipe.Push(buffer, have);
            }
        }
        catch (Exception e) when (source.Failure is null && e is not OperationCanceledException)
        {
            throw new InvalidDataException($"its {format ?? "content"} stream: {char.ToLowerInvariant(e.Message[0])}{e.Message[1..].TrimEnd('.')}", e);
        }
    }
}
