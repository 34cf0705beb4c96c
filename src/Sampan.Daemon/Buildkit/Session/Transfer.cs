using System.IO.Pipelines;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>A stream that somebody writes while it is read; his failure is the reader's.</summary>
internal sealed class Transfer : SequentialStream
{
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19, useSynchronizationContext: false));
    private readonly CancellationTokenSource _stop;
    private readonly Stream _reader;
    private readonly Task _writing;

    public Transfer(Func<Stream, CancellationToken, Task> write, CancellationToken cancel)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _reader = _pipe.Reader.AsStream();
        _writing = WriteAsync(write);
    }

    public override bool CanRead => true;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _reader.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reader.DisposeAsync();
        await _writing;
        _stop.Dispose();
        await base.DisposeAsync();
    }

    private async Task WriteAsync(Func<Stream, CancellationToken, Task> write)
    {
        try
        {
            await using var output = new BufferedStream(_pipe.Writer.AsStream(leaveOpen: true), 64 * 1024);
            await write(output, _stop.Token);
            await output.FlushAsync(_stop.Token);
            await _pipe.Writer.CompleteAsync();
        }
        catch (Exception e)
        {
            await _pipe.Writer.CompleteAsync(e); // the reader throws it
        }
    }
}
