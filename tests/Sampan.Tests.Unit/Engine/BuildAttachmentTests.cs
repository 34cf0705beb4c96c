using System.Net.Sockets;
using Sampan.Engine;
using Sampan.Engine.Builds;
using Xunit;

namespace Sampan.Tests.Unit.Engine;

/// <summary>What waits for a build, and the way to an agent.</summary>
public sealed class BuildAttachmentTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("sampan-attach-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void A_secret_that_no_build_takes_is_forgotten_and_overwritten()
    {
        var time = new HandTime();
        using var waiting = new WaitingAttachments(time);
        byte[] value = [1, 2, 3];
        var id = waiting.Add(new BuildAttachment("secret", "s") { Secret = value });
        Assert.Equal(TimeSpan.FromMinutes(10), time.Due);
        time.Fire();
        Assert.Equal(ErrorKind.NotFound, Assert.Throws<EngineException>(() => waiting.Take(id)).Kind);
        Assert.Equal([0, 0, 0], value);
    }

    [Fact]
    public void A_build_takes_it_once_and_overwrites_it_in_the_end()
    {
        using var waiting = new WaitingAttachments(new HandTime());
        byte[] value = [1, 2, 3];
        var id = waiting.Add(new BuildAttachment("secret", "s") { Secret = value });
        using (var inputs = new BuildInputs())
        {
            inputs.Take([id], waiting);
            Assert.Equal([1, 2, 3], inputs.Secrets["s"].ToArray());
            Assert.Throws<EngineException>(() => waiting.Take(id));
        }

        Assert.Equal([0, 0, 0], value);
    }

    [Fact]
    public async Task A_relay_carries_both_ways_and_ends_when_told()
    {
        string agent = Path.Combine(_directory.FullName, "agent"), step = Path.Combine(_directory.FullName, "step");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(agent));
        listener.Listen();
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await using (AgentRelay.Start(step, agent, 7, 8, 0x180))
        {
            var stat = Sampan.Linux.Sys.StatAt(step);
            Assert.Equal((7u, 8u, 0x180u), (stat.Uid, stat.Gid, stat.Permissions));
            await client.ConnectAsync(new UnixDomainSocketEndPoint(step));
            using var served = await listener.AcceptAsync();
            await client.SendAsync(new byte[] { 1, 2 });
            var buffer = new byte[10];
            Assert.Equal(2, await served.ReceiveAsync(buffer));
            await served.SendAsync(new byte[] { 3 });
            Assert.Equal((1, 3), (await client.ReceiveAsync(buffer), buffer[0]));
        }

        Assert.Equal(0, await client.ReceiveAsync(new byte[10]));
    }

    /// <summary>Time whose one timer is fired by hand.</summary>
    private sealed class HandTime : TimeProvider
    {
        private Action? _fire;

        public TimeSpan Due { get; private set; }

        public void Fire() => _fire!();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (Due, _fire) = (dueTime, () => callback(state));
            return new Timer();
        }

        private sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
