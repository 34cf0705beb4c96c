using System.IO.Compression;

namespace Sampan.Registry;

/// <summary>
/// Compresses by gzip on all processors: blocks of a fixed size, each a member of its own (RFC 1952, section 2.2: members follow one another), so
/// that the same bytes give the same result on every machine. Memory is a few blocks for each processor.
/// </summary>
internal sealed class ParallelGzip(Stream inner)
{
    private const int BlockBytes = 1 << 20;

    /// <summary>A third of the default's time for some hundredths more bytes: on a local network the compressor is what takes time.</summary>
    private static readonly ZLibCompressionOptions Options = new() { CompressionLevel = 3 };

    private readonly Queue<Task<MemoryStream>> _pending = new();
    private byte[] _block = new byte[BlockBytes];
    private int _length;
    private bool _any;

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        while (!bytes.IsEmpty)
        {
            var n = Math.Min(bytes.Length, BlockBytes - _length);
            bytes[..n].CopyTo(_block.AsMemory(_length));
            _length += n;
            bytes = bytes[n..];
            if (_length == BlockBytes)
            {
                await SubmitAsync(cancel);
            }
        }
    }

    /// <summary>Writes what is left; without it the stream is torn.</summary>
    public async Task CompleteAsync(CancellationToken cancel)
    {
        // Nothing at all is one empty member.
        if (_length > 0 || !_any)
        {
            await SubmitAsync(cancel);
        }

        while (_pending.Count > 0)
        {
            await DrainAsync(cancel);
        }
    }

    private async Task SubmitAsync(CancellationToken cancel)
    {
        var (block, length) = (_block, _length);
        _pending.Enqueue(Task.Run(() => Compress(block, length), cancel));
        (_block, _length, _any) = (new byte[BlockBytes], 0, true);
        if (_pending.Count > Environment.ProcessorCount)
        {
            await DrainAsync(cancel);
        }
    }

    private async Task DrainAsync(CancellationToken cancel)
    {
        var member = await _pending.Dequeue();
        await inner.WriteAsync(member.GetBuffer().AsMemory(0, (int)member.Length), cancel);
    }

    private static MemoryStream Compress(byte[] block, int length)
    {
        var member = new MemoryStream(BlockBytes / 2);
        using (var gzip = new GZipStream(member, Options, leaveOpen: true))
        {
            gzip.Write(block, 0, length);
        }

        return member;
    }
}
