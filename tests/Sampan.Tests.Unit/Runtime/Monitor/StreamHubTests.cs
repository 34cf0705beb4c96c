using System.Buffers.Binary;
using System.Text;
using Sampan.Linux;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime.Monitor;

/// <summary>A hub between real pipes and sockets; the test plays the process and its clients, and turns the loop.</summary>
public sealed class StreamHubTests : IDisposable
{
    private readonly byte[] _buffer = new byte[MonitorFrames.HeadLength + MonitorFrames.PayloadLimit];
    private readonly List<int> _fds = [];
    private readonly List<Connection> _connections = [];
    private readonly PollSet _set = new();
    private readonly int _processStdin, _processStdout, _processStderr;
    private readonly StreamHub _hub;

    public StreamHubTests()
    {
        var (stdinRead, stdinWrite) = Pipe.Create();
        var (stdoutRead, stdoutWrite) = Pipe.Create();
        var (stderrRead, stderrWrite) = Pipe.Create();
        (_processStdin, _processStdout, _processStderr) = (stdinRead, stdoutWrite, stderrWrite);
        _fds.AddRange([stdinRead, stdoutWrite, stderrWrite]);
        foreach (var fd in (int[])[stdinRead, stdinWrite, stdoutRead, stdoutWrite, stderrRead, stderrWrite])
        {
            FileDescriptor.SetNonBlocking(fd);
        }

        _hub = new StreamHub(stdinWrite, stdoutRead, stderrRead, false, null, _buffer) { StdinOnce = true };
    }

    public void Dispose()
    {
        _hub.Finish();
        foreach (var fd in _fds.Concat(_connections.Select(c => c.Fd)))
        {
            Raw.Close(fd);
        }
    }

    [Fact]
    public void Output_reaches_every_client_that_wants_it()
    {
        var (_, both) = Attach();
        var (_, onlyErrors) = Attach(stdout: false);
        Raw.Write(_processStdout, "out"u8);
        Raw.Write(_processStderr, "err"u8);
        Turn();
        Assert.Equal(["1:out", "2:err"], Frames(both));
        Assert.Equal(["2:err"], Frames(onlyErrors));
    }

    [Fact]
    public void The_exit_code_is_the_last_frame_and_comes_after_all_output()
    {
        var (connection, client) = Attach();
        Raw.Write(_processStdout, "tail"u8);
        _hub.Exit(42, long.MaxValue);
        _hub.Finish();
        Assert.Equal(["1:tail", "3:42"], Frames(client));
        Assert.True(connection.IsDead);
    }

    [Fact]
    public void Who_attaches_to_an_ended_process_is_told_its_exit_code()
    {
        _hub.Exit(3, long.MaxValue);
        _hub.Finish();
        Assert.Equal(["3:3"], Frames(Attach().Client));
    }

    [Fact]
    public void Input_reaches_the_process_and_half_closing_ends_it()
    {
        var (_, client) = Attach();
        UnixSocket.Send(client, "abc"u8);
        Turn();
        Assert.Equal("abc", ReadInput());
        ShutdownWrite(client);
        Turn();
        Assert.Null(ReadInput());
        Raw.Write(_processStdout, "still"u8);
        Turn();
        Assert.Equal(["1:still"], Frames(client));
    }

    [Fact]
    public void Input_that_a_client_left_behind_is_delivered_however_slowly_the_process_reads()
    {
        var (connection, client) = Attach();
        var sent = 0;
        int now;
        while ((now = UnixSocket.Send(client, new byte[50_000])) > 0)
        {
            sent += now;
            Turn();
        }

        Close(client);
        Turn();
        Assert.False(connection.IsDead);
        Assert.False(_set.Wait(20), "a client that has gone must not turn the loop while its input waits");
        var got = 0;
        while (ReadInput() is { } data)
        {
            got += data.Length;
            Turn();
        }

        Assert.Equal(sent, got);
        Assert.True(connection.IsDead);
    }

    [Fact]
    public void A_client_that_does_not_read_holds_the_process_up_with_bounded_memory()
    {
        var (connection, client) = Attach();
        long written = Flood();
        Assert.InRange(connection.Pending, StreamHub.ClientLimit, StreamHub.ClientLimit + 100_000);
        Assert.InRange(written, StreamHub.ClientLimit, 3 * StreamHub.ClientLimit);
        long read = Drain(client);
        Turn();
        read += Drain(client);
        Assert.True(Flood() > 0);
        Assert.InRange(read, StreamHub.ClientLimit, written + 1_000_000);
    }

    [Fact]
    public void A_stuck_client_that_goes_lets_the_process_on_at_once()
    {
        var (connection, client) = Attach();
        Flood();
        Close(client);
        Turn();
        Assert.True(connection.IsDead);
        _hub.Detach(connection);
        Assert.True(Flood(2_000_000) >= 2_000_000);
    }

    [Fact]
    public void When_the_process_has_ended_its_pipes_are_emptied_whatever_the_clients_do()
    {
        var (_, client) = Attach();
        var written = Flood();
        _hub.Exit(0, long.MaxValue);
        Close(_processStdout);
        Close(_processStderr);
        Turn();
        Assert.True(_hub.OutputEnded);
        _hub.Finish();
        var payload = 0L;
        var exit = "";
        for (var round = 0; round < 200 && exit.Length == 0; round++)
        {
            foreach (var (stream, data) in RawFrames(client))
            {
                payload += stream == 1 ? data.Length : 0;
                exit = stream == 3 ? "told" : exit;
            }

            Turn();
        }

        Assert.Equal("told", exit);
        Assert.Equal(written, payload);
    }

    [Fact]
    public void Input_for_a_process_that_does_not_read_any_more_is_dropped()
    {
        var (_, client) = Attach();
        Close(_processStdin);
        for (var i = 0; i < 50; i++)
        {
            UnixSocket.Send(client, new byte[20_000]);
            Turn();
        }

        Assert.True(UnixSocket.Send(client, "x"u8) == 1);
        Assert.True(_hub.MayTakeInput);
    }

    private readonly Dictionary<int, List<byte>> _received = [];

    private (Connection Connection, int Client) Attach(bool stdout = true)
    {
        var (ours, theirs) = UnixSocket.Pair();
        FileDescriptor.SetNonBlocking(ours);
        FileDescriptor.SetNonBlocking(theirs);
        _fds.Add(theirs);
        var connection = new Connection(ours, Serve) { WantsStdin = true, WantsStdout = stdout, WantsStderr = true, Hub = _hub };
        Assert.Equal("attach", Request(connection, theirs));
        _connections.Add(connection);
        _hub.Attach(connection);
        return (connection, theirs);
    }

    private string Request(Connection connection, int client)
    {
        UnixSocket.Send(client, MonitorJson.Line(new MonitorRequest { Op = "attach" }));
        var read = Raw.Read(connection.Fd, _buffer);
        return connection.Take(_buffer.AsSpan(0, read), out _)!.Op;
    }

    /// <summary>As the monitor does.</summary>
    private void Serve(Connection connection)
    {
        var read = Raw.Read(connection.Fd, _buffer);
        if (read > 0)
        {
            _hub.TakeInput(_buffer.AsSpan(0, read));
        }
        else if (read != -Errno.EAGAIN)
        {
            _hub.EndInput();
            connection.EndInput();
        }
    }

    private void Turn()
    {
        for (var round = 0; round < 20; round++)
        {
            _set.Clear();
            _hub.Collect(_set);
            foreach (var connection in _connections.Where(c => !c.IsDead))
            {
                connection.Collect(_set);
            }

            if (!_set.Wait(0))
            {
                return;
            }
        }
    }

    private long Flood(long limit = long.MaxValue)
    {
        var written = 0L;
        int now;
        while (written < limit && (now = Raw.Write(_processStdout, new byte[32 * 1024])) > 0)
        {
            written += now;
            Turn();
        }

        return written;
    }

    private string? ReadInput()
    {
        var data = new byte[64 * 1024];
        var read = Raw.Read(_processStdin, data);
        return read > 0 ? Encoding.UTF8.GetString(data.AsSpan(0, read)) : read == -Errno.EAGAIN ? "" : null;
    }

    private long Drain(int client)
    {
        var total = 0L;
        var data = new byte[64 * 1024];
        int read;
        while ((read = Raw.Read(client, data)) > 0)
        {
            total += read;
            Turn();
        }

        return total;
    }

    private string[] Frames(int client) =>
        [.. RawFrames(client).Select(f => $"{f.Stream}:{(f.Stream == 3 ? BinaryPrimitives.ReadInt32BigEndian(f.Data) : Encoding.UTF8.GetString(f.Data))}")];

    private List<(int Stream, byte[] Data)> RawFrames(int client)
    {
        if (!_received.TryGetValue(client, out var bytes))
        {
            _received[client] = bytes = [];
        }

        var data = new byte[64 * 1024];
        int read;
        while ((read = Raw.Read(client, data)) > 0)
        {
            bytes.AddRange(data.AsSpan(0, read));
        }

        var frames = new List<(int, byte[])>();
        var whole = bytes.ToArray();
        var at = 0;
        while (whole.Length - at >= 8 && whole.Length - at >= 8 + BinaryPrimitives.ReadInt32BigEndian(whole.AsSpan(at + 4)))
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(whole.AsSpan(at + 4));
            frames.Add((whole[at], whole[(at + 8)..(at + 8 + length)]));
            at += 8 + length;
        }

        bytes.RemoveRange(0, at);
        return frames;
    }

    /// <summary>Once only: a second close would hit whatever the tests beside this one have opened since.</summary>
    private void Close(int fd)
    {
        Assert.True(_fds.Remove(fd));
        Raw.Close(fd);
    }

    private static void ShutdownWrite(int fd)
    {
        using var socket = new System.Net.Sockets.Socket(new System.Net.Sockets.SafeSocketHandle(fd, ownsHandle: false));
        socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
    }
}
