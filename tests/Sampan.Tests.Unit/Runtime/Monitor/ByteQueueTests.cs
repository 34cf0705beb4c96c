using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime.Monitor;

public sealed class ByteQueueTests
{
    [Fact]
    public void Bytes_come_out_as_they_went_in()
    {
        var queue = new ByteQueue();
        var random = new Random(7);
        byte written = 0, read = 0;
        for (var round = 0; round < 2000; round++)
        {
            var data = new byte[random.Next(3000)];
            foreach (ref var b in data.AsSpan())
            {
                b = written++;
            }

            queue.Append(data);
            foreach (var b in queue.Head[..random.Next(queue.Count + 1)].ToArray())
            {
                Assert.Equal(read++, b);
                queue.Drop(1);
            }
        }

        Assert.Equal((byte)(read + queue.Count), written);
    }

    [Fact]
    public void An_empty_queue_is_empty_again_after_use()
    {
        var queue = new ByteQueue();
        queue.Append(new byte[100_000]);
        queue.Drop(99_999);
        Assert.Equal(1, queue.Count);
        queue.Drop(1);
        Assert.Equal(0, queue.Head.Length);
        queue.Append("x"u8);
        Assert.Equal("x"u8.ToArray(), queue.Head.ToArray());
    }
}
