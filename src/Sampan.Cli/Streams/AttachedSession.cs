using System.Net.Sockets;
using System.Runtime.InteropServices;
using Sampan.Api;
using Sampan.Cli.Http;
using Sampan.Linux;

namespace Sampan.Cli.Streams;

/// <summary>How a session ended.</summary>
internal enum SessionEnd
{
    /// <summary>The container's output came to its end.</summary>
    OutputEnded,

    /// <summary>The user typed the detach keys.</summary>
    Detached,
}

/// <summary>
/// Our standard streams joined to a container's over a hijacked connection. Output runs on the calling thread, input on one of its
/// own; the terminal is raw as long as the session lasts.
/// </summary>
internal sealed class AttachedSession(HttpConnection connection, bool terminal, bool withInput, byte[] detachKeys) : IDisposable
{
    private readonly Lock _restoreLock = new();
    private byte[]? _settings;
    private volatile bool _detached;

    /// <summary>The exit code, when it came with the output (<see cref="ExecRun"/>).</summary>
    public int? ExitCode { get; private set; }

    /// <summary>Carries the streams until the output ends or the user detaches.</summary>
    public SessionEnd Run(Stream output, Stream error)
    {
        if (terminal && withInput && Terminal.Is(FdStream.StdinFd))
        {
            _settings = Terminal.SetRaw(FdStream.StdinFd);
            AppDomain.CurrentDomain.ProcessExit += RestoreAtExit;
        }

        if (withInput)
        {
            new Thread(Input, 256 * 1024) { IsBackground = true, Name = "stdin" }.Start();
        }

        try
        {
            if (terminal) OutputPump.Raw(connection.Read, output);
            else ExitCode = OutputPump.Multiplexed(connection.Read, output, error);
        }
        catch (Exception e) when (_detached && e is SocketException or CommandLine.CliException or ObjectDisposedException)
        {
            // Our own hanging up ended the output.
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The container is gone and the daemon with unread input: the same as an end.
        }
        finally
        {
            RestoreTerminal();
        }

        return _detached ? SessionEnd.Detached : SessionEnd.OutputEnded;
    }

    public void Dispose()
    {
        RestoreTerminal();
        connection.Dispose();
    }

    private void Input()
    {
        var buffer = new byte[32 * 1024];
        var keys = terminal ? new DetachKeys(detachKeys) : null;
        var passed = new List<byte>();
        try
        {
            for (int count; (count = Terminal.Read(FdStream.StdinFd, buffer)) > 0;)
            {
                if (keys is null)
                {
                    connection.Write(buffer.AsSpan(0, count));
                    continue;
                }

                passed.Clear();
                _detached = keys.Feed(buffer.AsSpan(0, count), passed);
                connection.Write(CollectionsMarshal.AsSpan(passed));
                if (_detached) break;
            }
        }
        catch (Exception e) when (e is SocketException or SyscallException or ObjectDisposedException)
        {
            // The container takes no more input (or ours cannot be read); its output goes on.
        }

        try
        {
            if (_detached) connection.Dispose();
            else connection.CloseWrite();
        }
        catch (ObjectDisposedException)
        {
            // The session ended meanwhile.
        }
    }

    private void RestoreAtExit(object? sender, EventArgs e) => RestoreTerminal();

    private void RestoreTerminal()
    {
        lock (_restoreLock)
        {
            if (_settings is null) return;
            Terminal.Restore(FdStream.StdinFd, _settings);
            _settings = null;
        }

        AppDomain.CurrentDomain.ProcessExit -= RestoreAtExit;
    }
}
