using System.Diagnostics;
using System.Text;

namespace Sampan.Tests.Integration.Kit;

/// <summary>A command under way whose streams the test holds; disposing it kills it.</summary>
public sealed class Running : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _command;
    private readonly MemoryStream _output = new();
    private readonly MemoryStream _error = new();
    private readonly Task _outputDone;
    private readonly Task _errorDone;

    internal Running(ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        _command = start.FileName + " " + string.Join(' ', start.ArgumentList);
        _process = Process.Start(start) ?? throw new InvalidOperationException($"cannot start '{start.FileName}'");
        _outputDone = CollectAsync(_process.StandardOutput.BaseStream, _output);
        _errorDone = CollectAsync(_process.StandardError.BaseStream, _error);
    }

    /// <summary>The process's id.</summary>
    public int Pid => _process.Id;

    /// <summary>True when the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>What has come on standard output so far.</summary>
    public string OutputSoFar => Text(_output);

    /// <summary>What has come on standard error so far.</summary>
    public string ErrorSoFar => Text(_error);

    /// <summary>Writes to the command's standard input.</summary>
    public async Task WriteAsync(string text)
    {
        await _process.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes(text));
        await _process.StandardInput.BaseStream.FlushAsync();
    }

    /// <summary>The raw standard input.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Closes standard input: the command reads end of file.</summary>
    public void CloseInput()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The command ended without reading everything; its exit code and output tell the rest.
        }
    }

    /// <summary>Waits until standard output contains <paramref name="part"/>.</summary>
    public Task WaitForOutputAsync(string part, int timeoutSeconds = 30) =>
        Eventually.IsTrue(() => OutputSoFar.Contains(part, StringComparison.Ordinal), timeoutSeconds,
            () => $"'{part}' on the standard output of: {_command}\n--- stdout ---\n{OutputSoFar}\n--- stderr ---\n{ErrorSoFar}\n---");

    /// <summary>Waits for the end and returns what the command did; kills it and fails after <paramref name="timeoutSeconds"/>.</summary>
    public async Task<CommandResult> ResultAsync(int timeoutSeconds = 60)
    {
        using var limit = new CancellationTokenSource(Patience.Seconds(timeoutSeconds));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            // A child that the command left behind may still hold the pipes (a daemon it started, say): give the tail a moment, not for ever.
            await Task.WhenAny(Task.WhenAll(_outputDone, _errorDone), Task.Delay(2000));
        }
        catch (OperationCanceledException)
        {
            Kill();
            throw new TimeoutException($"no end within {timeoutSeconds} s: {new CommandResult(_command, -1, Bytes(_output), Bytes(_error))}");
        }
        return new CommandResult(_command, _process.ExitCode, Bytes(_output), Bytes(_error));
    }

    /// <summary>Sends a signal by number.</summary>
    public void Signal(int signal) => Native.Kill(_process.Id, signal);

    /// <summary>Kills the command at once.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Kill();
        _process.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async Task CollectAsync(Stream from, MemoryStream to)
    {
        byte[] buffer = new byte[64 * 1024];
        int count;
        while ((count = await from.ReadAsync(buffer)) > 0)
        {
            lock (to)
                to.Write(buffer, 0, count);
        }
    }

    private static byte[] Bytes(MemoryStream stream)
    {
        lock (stream)
            return stream.ToArray();
    }

    private static string Text(MemoryStream stream) => Encoding.UTF8.GetString(Bytes(stream));
}
