using System.Runtime.ExceptionServices;

namespace Sampan.Store;

/// <summary>
/// A bounded pipe of byte chunks between two threads: one inflates and hashes while the other parses and writes files. Blocking, with a handful
/// of buffers that go round, so that memory stays flat whatever the archive's size.
/// </summary>
internal sealed class ChunkPipe
{
    private const int ChunkBytes = 256 * 1024, Chunks = 8;

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _free = new(0, Chunks + 1);
    private readonly SemaphoreSlim _filled = new(0, int.MaxValue);
    private readonly Queue<byte[]> _freeChunks = new();
    private readonly Queue<(byte[] Buffer, int Length)> _filledChunks = new();
    private Exception? _failure;
    private bool _closed;
    private volatile bool _abandoned;

    private byte[] _current = [];
    private int _start;
    private int _end;

    public ChunkPipe()
    {
        for (var i = 0; i < Chunks; i++)
        {
            _freeChunks.Enqueue(new byte[ChunkBytes]);
        }

        _free.Release(Chunks);
    }

    /// <summary>For the producer: an empty buffer to fill; null when the consumer has gone.</summary>
    public byte[]? Rent(CancellationToken cancel)
    {
        _free.Wait(cancel);
        if (_abandoned)
        {
            return null;
        }

        lock (_gate)
        {
            return _freeChunks.Dequeue();
        }
    }

    /// <summary>For the producer: hands over a filled buffer.</summary>
    public void Push(byte[] buffer, int length)
    {
        lock (_gate)
        {
            _filledChunks.Enqueue((buffer, length));
        }

        _filled.Release();
    }

    /// <summary>For the producer: no more will come, because of the end or a failure.</summary>
    public void Complete(Exception? failure)
    {
        lock (_gate)
        {
            _failure = failure;
            _closed = true;
        }

        _filled.Release();
    }

    /// <summary>For the consumer: it will take no more, so the producer shall not wait.</summary>
    public void Abandon()
    {
        _abandoned = true;
        _free.Release();
    }

    /// <summary>For the consumer: the next bytes, at least one; empty at the end. Throws what the producer failed with.</summary>
    public ReadOnlySpan<byte> Peek()
    {
        while (_start == _end)
        {
            if (_current.Length > 0)
            {
                lock (_gate)
                {
                    _freeChunks.Enqueue(_current);
                }

                _current = [];
                _free.Release();
            }

            _filled.Wait();
            lock (_gate)
            {
                if (!_filledChunks.TryDequeue(out var chunk))
                {
                    // Closed and drained; the next call must not wait either.
                    _filled.Release();
                    if (_failure is not null)
                    {
                        ExceptionDispatchInfo.Throw(_failure);
                    }

                    return _closed ? [] : throw new InvalidOperationException("the pipe woke up without a chunk");
                }

                (_current, _start, _end) = (chunk.Buffer, 0, chunk.Length);
            }
        }

        return _current.AsSpan(_start, _end - _start);
    }

    /// <summary>For the consumer: takes bytes that <see cref="Peek"/> showed.</summary>
    public void Advance(int count) => _start += count;
}
