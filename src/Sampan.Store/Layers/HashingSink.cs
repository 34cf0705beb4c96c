using System.Security.Cryptography;

namespace Sampan.Store;

/// <summary>Takes a tar as it is made and hashes it on another thread.</summary>
internal sealed class HashingSink : IDisposable
{
    private readonly ChunkPipe _pipe = new();
    private readonly Task _task;
    private byte[] _hash = [];
    private byte[]? _buffer;
    private int _length;
    private bool _completed;

    public HashingSink() => _task = Task.Factory.StartNew(Hash, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Bytes so far.</summary>
    public long Total { get; private set; }

    /// <summary>Room to write the next bytes into; <see cref="Advance"/> tells how many were.</summary>
    public Span<byte> Room(CancellationToken cancel)
    {
        if (_buffer is not null && _length == _buffer.Length)
        {
            _pipe.Push(_buffer, _length);
            _buffer = null;
        }

        if (_buffer is null)
        {
            _buffer = _pipe.Rent(cancel) ?? throw new InvalidOperationException("the hashing thread has gone");
            _length = 0;
        }

        return _buffer.AsSpan(_length);
    }

    public void Advance(int count)
    {
        _length += count;
        Total += count;
    }

    public void Write(ReadOnlySpan<byte> bytes, CancellationToken cancel)
    {
        while (!bytes.IsEmpty)
        {
            var room = Room(cancel);
            var n = Math.Min(room.Length, bytes.Length);
            bytes[..n].CopyTo(room);
            Advance(n);
            bytes = bytes[n..];
        }
    }

    /// <summary>The SHA-256 of everything.</summary>
    public byte[] Finish()
    {
        if (_buffer is not null)
        {
            _pipe.Push(_buffer, _length);
            _buffer = null;
        }

        Complete();
        return _hash;
    }

    public void Dispose() => Complete();

    private void Complete()
    {
        if (!_completed)
        {
            _completed = true;
            _pipe.Complete(null);
        }

        _task.Wait();
    }

    private void Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var bytes = _pipe.Peek(); !bytes.IsEmpty; bytes = _pipe.Peek())
        {
            hash.AppendData(bytes);
            _pipe.Advance(bytes.Length);
        }

        _hash = hash.GetHashAndReset();
    }
}
