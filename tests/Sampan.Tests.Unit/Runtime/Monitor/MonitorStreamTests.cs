using System.Net.Sockets;
using System.Text;
using Sampan.Linux;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime.Monitor;

public sealed class MonitorStreamTests : IDisposable
{
    private readonly int _monitor;
    private readonly MonitorStream _stream;

    public MonitorStreamTests()
    {
        (_monitor, var client) = UnixSocket.Pair();
        _stream = new MonitorStream(new Socket(new SafeSocketHandle(client, ownsHandle: true)));
    }

    public void Dispose()
    {
        _stream.Dispose();
        Raw.Close(_monitor);
    }

    [Fact]
    public async Task Frames_come_one_by_one_and_the_exit_code_before_the_end()
    {
        Send(1, "out");
        Send(2, "err");
        Send(3, "\0\0\0\u0007");
        Assert.Equal(["1:out", "2:err"], await ReadAll());
        Assert.Equal(7, _stream.ExitCode);
    }

    [Fact]
    public async Task Frames_may_arrive_in_any_pieces()
    {
        var reading = ReadAll();
        foreach (var b in Frame(1, "abc").Concat(Frame(2, new string('x', 60_000))).Concat(Frame(1, new string('y', 64 * 1024))).Concat(Frame(3, "\0\0\0\0")).Chunk(7001))
        {
            Raw.Write(_monitor, b);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        Assert.Equal(["1:abc", "2:" + new string('x', 60_000), "1:" + new string('y', 64 * 1024)], await reading);
        Assert.Equal(0, _stream.ExitCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Copying_gives_docker_frames_or_the_bare_bytes(bool frames)
    {
        Send(1, "one");
        Send(2, "two");
        Send(3, "\0\0\0\0");
        var output = new MemoryStream();
        await _stream.CopyToAsync(output, frames, TestContext.Current.CancellationToken);
        Assert.Equal(frames ? [.. Frame(1, "one"), .. Frame(2, "two")] : "onetwo"u8.ToArray(), output.ToArray());
    }

    [Fact]
    public async Task Without_an_exit_code_the_monitor_has_gone()
    {
        Send(1, "half");
        Raw.Write(_monitor, Frame(1, "cut off")[..10]);
        using (new SafeSocketHandle(_monitor, ownsHandle: false))
        {
            new Socket(new SafeSocketHandle(_monitor, ownsHandle: false)).Shutdown(SocketShutdown.Both);
        }

        Assert.Equal(["1:half"], await ReadAll());
        Assert.Null(_stream.ExitCode);
    }

    [Fact]
    public async Task A_frame_longer_than_any_is_refused()
    {
        Raw.Write(_monitor, [1, 0, 0, 0, 0x7f, 0, 0, 0]);
        await Assert.ThrowsAsync<InvalidDataException>(ReadAll);
    }

    private async Task<string[]> ReadAll()
    {
        var frames = new List<string>();
        while (await _stream.ReadFrameAsync(TestContext.Current.CancellationToken) is { } frame)
        {
            frames.Add($"{frame.Stream}:{Encoding.UTF8.GetString(frame.Data.Span)}");
        }

        return [.. frames];
    }

    private void Send(byte stream, string payload) => Raw.Write(_monitor, Frame(stream, payload));

    private static byte[] Frame(byte stream, string payload)
    {
        var data = Encoding.UTF8.GetBytes(payload);
        var frame = new byte[MonitorFrames.HeadLength + data.Length];
        MonitorFrames.WriteHead(frame, stream, data.Length);
        data.CopyTo(frame, MonitorFrames.HeadLength);
        return frame;
    }
}
