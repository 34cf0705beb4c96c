using System.Net.Sockets;
using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>The daemon's end of a connection to a monitor: one line to it, one line back (<see cref="MonitorRequest"/>).</summary>
internal static class MonitorSocket
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Connects to the monitor of a run directory.</summary>
    /// <exception cref="SocketException">None listens there.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    public static async Task<Socket> OpenAsync(string runDirectory, CancellationToken cancel)
    {
        // Through the directory's descriptor: sun_path holds 108 bytes, an exec root may be deeper.
        var directory = OpenDirectory(runDirectory);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint($"/proc/self/fd/{directory}/monitor.sock"), cancel);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            Raw.Close(directory);
        }
    }

    /// <summary>Sends a request and reads its reply; an error is thrown.</summary>
    /// <exception cref="MonitorException">Refused, or not answered in time.</exception>
    public static async Task<MonitorReply> AskAsync(Socket socket, MonitorRequest request, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(RequestTimeout);
        try
        {
            await socket.SendAsync(MonitorJson.Line(request), deadline.Token);
            var reply = await ReadReplyAsync(socket, deadline.Token);
            return reply.Error is null ? reply : throw new MonitorException(reply.Error);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw MonitorException.Of($"the monitor did not answer \"{request.Op}\" within {RequestTimeout.TotalSeconds} s");
        }
    }

    /// <summary>One line, by peeking first, so that nothing of the frames behind it is taken.</summary>
    /// <exception cref="EndOfStreamException">The monitor closed the connection.</exception>
    public static async Task<MonitorReply> ReadReplyAsync(Socket socket, CancellationToken cancel)
    {
        var line = new List<byte>(256);
        var buffer = new byte[4096];
        while (true)
        {
            var seen = await socket.ReceiveAsync(buffer, SocketFlags.Peek, cancel);
            if (seen == 0)
            {
                throw new EndOfStreamException("the monitor closed the connection");
            }

            var newline = buffer.AsSpan(0, seen).IndexOf((byte)'\n');
            var take = newline < 0 ? seen : newline + 1;
            await socket.ReceiveAsync(buffer.AsMemory(0, take), SocketFlags.None, cancel);
            line.AddRange(buffer.AsSpan(0, take));
            if (newline >= 0)
            {
                return JsonSerializer.Deserialize(line.ToArray(), MonitorJson.Default.MonitorReply)!;
            }
        }
    }

    private static int OpenDirectory(string path)
    {
        try
        {
            return FileDescriptor.OpenDirectory(path);
        }
        catch (SyscallException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            throw new DirectoryNotFoundException($"no run directory '{path}'", e);
        }
    }
}
