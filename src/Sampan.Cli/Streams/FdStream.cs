using Sampan.Linux;

namespace Sampan.Cli.Streams;

/// <summary>One of our standard streams, unbuffered, by its descriptor.</summary>
internal sealed class FdStream(int fd) : SequentialStream
{
    public const int StdinFd = 0;
    public const int StdoutFd = 1;
    public const int StderrFd = 2;

    public override bool CanRead => fd == StdinFd;

    public override bool CanWrite => fd != StdinFd;

    public override int Read(Span<byte> buffer) => Terminal.Read(fd, buffer);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => Terminal.Write(fd, buffer);

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
}
