using System.IO.Pipelines;
using System.Net;
using System.Security.Cryptography;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>
/// Fetches one blob into a pipe, hashing on the way. A connection that breaks or stalls is taken up again where it broke (Range); more
/// bytes than the descriptor says are an error at once, and at the end the digest must be the descriptor's.
/// </summary>
internal sealed class BlobDownload(RepositoryClient client, Descriptor blob, Action<long> progress)
{
    private const int ChunkBytes = 256 * 1024;

    /// <summary>
    /// A reader that has given up does not keep us from telling a wrong digest, which is why it gave up, most likely. Bytes.
    /// </summary>
    private const long DrainLimit = 64 * 1024 * 1024;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _offset;

    /// <summary>Runs to the end and completes the pipe, whatever happens; what failed is thrown, too.</summary>
    public async Task RunAsync(PipeWriter writer, CancellationToken cancel)
    {
        try
        {
            await FetchAsync(writer, cancel);
            var actual = Digest.FromSha256(_hash.GetHashAndReset());
            if (actual != blob.Digest)
            {
                throw new RegistryException(RegistryErrorKind.Mismatch,
                    $"filesystem layer verification failed for digest {blob.Digest}: the {_offset} bytes from {client.Base.Authority} "
                    + $"have digest {actual}");
            }

            await writer.CompleteAsync();
        }
        catch (Exception e)
        {
            await writer.CompleteAsync(e);
            throw;
        }
        finally
        {
            _hash.Dispose();
        }
    }

    private async Task FetchAsync(PipeWriter writer, CancellationToken cancel)
    {
        for (var failures = 0; ;)
        {
            var before = _offset;
            try
            {
                using var answer = await client.OpenBlobAsync(blob, _offset, cancel);
                await CopyAsync(answer, writer, cancel);
                if (_offset == blob.Size)
                {
                    return;
                }

                throw new IOException($"it ended after {_offset} of {blob.Size} bytes");
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException && !cancel.IsCancellationRequested)
            {
                // Progress forgives what went before: a long download over a bad line comes to its end.
                failures = _offset > before ? 1 : failures + 1;
                if (failures >= client.MaxAttempts)
                {
                    throw new RegistryException(RegistryErrorKind.Unavailable,
                        $"layer {blob.Digest} from {client.Base.Authority}: the download broke off {failures} times, the last time "
                        + $"after {_offset} of {blob.Size} bytes: {e.Message}", e);
                }

                await Task.Delay(client.Pause(failures), cancel);
            }
        }
    }

    private async Task CopyAsync(HttpResponseMessage answer, PipeWriter writer, CancellationToken cancel)
    {
        var skip = Skip(answer);
        await using var body = await answer.Content.ReadAsStreamAsync(cancel);
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var isRead = true;
        while (true)
        {
            var memory = writer.GetMemory(ChunkBytes);
            stall.CancelAfter(client.StallTimeout);
            int n;
            try
            {
                n = await body.ReadAsync(memory, stall.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                throw new TimeoutException($"nothing came for {client.StallTimeout.TotalSeconds:0.#} s");
            }

            if (n == 0)
            {
                return;
            }

            var skipped = (int)Math.Min(skip, n);
            skip -= skipped;
            var fresh = memory[skipped..n];
            if (_offset + fresh.Length > blob.Size)
            {
                throw new RegistryException(RegistryErrorKind.Mismatch,
                    $"filesystem layer verification failed for digest {blob.Digest}: {client.Base.Authority} sends more than its "
                    + $"{blob.Size} bytes");
            }

            _hash.AppendData(fresh.Span);
            _offset += fresh.Length;
            progress(_offset);
            if (isRead && fresh.Length > 0)
            {
                if (skipped > 0)
                {
                    fresh.CopyTo(memory);
                }

                writer.Advance(fresh.Length);

                // A slow disk holds up the pipe, which must not count as a stall of the registry.
                stall.CancelAfter(Timeout.InfiniteTimeSpan);
                isRead = !(await writer.FlushAsync(cancel)).IsCompleted;
            }

            if (!isRead && blob.Size - _offset > DrainLimit)
            {
                throw new OperationCanceledException("the reader of the layer has given up");
            }
        }
    }

    /// <summary>How much of the answer is here already: a registry may ignore that only the rest was asked for.</summary>
    private long Skip(HttpResponseMessage answer)
    {
        if (answer.StatusCode != HttpStatusCode.PartialContent)
        {
            return _offset;
        }

        return answer.Content.Headers.ContentRange?.From == _offset ? 0
            : throw new IOException(
                $"the registry was asked for what follows byte {_offset} and gives \"{answer.Content.Headers.ContentRange}\"");
    }
}
