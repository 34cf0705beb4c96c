using System.Security.Cryptography;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Registry;

/// <summary>
/// Sends a layer, compressed by gzip while it is made from the store's recipe: small ones with one request, others streamed.
/// </summary>
internal static class LayerUpload
{
    private const long InMemory = 16 * 1024 * 1024;

    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(100);

    public static async Task<Descriptor> SendAsync(RepositoryClient client, LayerStore layers, Layer layer,
        Action<TransferMessage> report, CancellationToken cancel)
    {
        long size = 0;
        Digest digest;
        if (layer.TarSize <= InMemory)
        {
            var content = new MemoryStream();
            digest = await WriteAsync(content, cancel);
            await client.UploadAsync(content.ToArray(), digest, cancel);
        }
        else
        {
            digest = await StreamAsync();
        }

        return new Descriptor { MediaType = MediaTypes.DockerLayerGzip, Digest = digest, Size = size };

        async Task<Digest> StreamAsync()
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    var location = await client.StartUploadAsync(null, null, cancel);
                    return await client.UploadAsync(location!, WriteAsync, cancel);
                }
                catch (RegistryException e) when (e.Kind is RegistryErrorKind.Unavailable or RegistryErrorKind.Unauthorized
                    && attempt < client.MaxAttempts)
                {
                    // A broken connection, or a token that expired on the way: the layer is made again.
                    await Task.Delay(client.Pause(attempt), cancel);
                }
            }
        }

        async Task<Digest> WriteAsync(Stream destination, CancellationToken stop)
        {
            await using var counting = new HashingStream(destination);
            var gzip = new ParallelGzip(counting);
            await using (var progress = new ProgressStream(gzip, Report))
            {
                await layers.WriteTarAsync(layer, progress, stop);
            }

            await gzip.CompleteAsync(stop);

            size = counting.Count;
            return counting.Digest();
        }

        void Report(long done) => report(new TransferMessage(layer.DiffId.Short, "Pushing", done, layer.TarSize, IsItem: true));
    }

    /// <summary>Counts and hashes what goes through.</summary>
    private sealed class HashingStream(Stream inner) : PassingStream(inner)
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long Count { get; private set; }

        public Digest Digest() => Oci.Digest.FromSha256(_hash.GetHashAndReset());

        protected override void Pass(ReadOnlySpan<byte> bytes)
        {
            _hash.AppendData(bytes);
            Count += bytes.Length;
        }

        protected override void Dispose(bool disposing) => _hash.Dispose();
    }

    /// <summary>The compressor as a stream, which reports now and then how much went in.</summary>
    private sealed class ProgressStream(ParallelGzip gzip, Action<long> report) : PassingStream(Null)
    {
        private long _count;
        private long _reportedAt;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Pass(buffer.Span);
            return gzip.WriteAsync(buffer, cancellationToken);
        }

        protected override void Pass(ReadOnlySpan<byte> bytes)
        {
            _count += bytes.Length;
            if (Environment.TickCount64 - _reportedAt >= ReportEvery.TotalMilliseconds)
            {
                _reportedAt = Environment.TickCount64;
                report(_count);
            }
        }
    }

    /// <summary>A stream for writing that looks at the bytes and passes them on; it leaves the other open.</summary>
    private abstract class PassingStream(Stream inner) : SequentialStream
    {
        public override bool CanWrite => true;

        public override void Write(byte[] buffer, int offset, int count)
        {
            Pass(buffer.AsSpan(offset, count));
            inner.Write(buffer, offset, count);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Pass(buffer.Span);
            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        protected abstract void Pass(ReadOnlySpan<byte> bytes);
    }
}
