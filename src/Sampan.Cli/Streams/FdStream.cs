using Sampan.Linux;

namespace Sampan.Cli.Streams;

/// <summary>One of our standard streams, unbuffered, by its descriptor.</summary>
internal sealed class FdStream(int fd) : Stream
{
    public const int StdinFd = 0;
    public const int StdoutFd = 1;
    public const int StderrFd = 2;

    public override bool CanRead => fd == StdinFd;

    public override bool CanSeek => false;

    public override bool CanWrite => fd != StdinFd;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer) => Terminal.Read(fd, buffer);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => Terminal.Write(fd, buffer);

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
