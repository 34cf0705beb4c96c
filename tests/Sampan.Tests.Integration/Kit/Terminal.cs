using System.Diagnostics;
using System.Text;

namespace Sampan.Tests.Integration.Kit;

/// <summary>A command on a pseudo-terminal of its own, as a person would run it: what it shows is collected, keys can be typed.</summary>
public sealed class Terminal : IAsyncDisposable
{
    private readonly FileStream _master;
    private readonly Process _process;
    private readonly StringBuilder _screen = new();
    private readonly TaskCompletionSource _collected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _command;

    internal Terminal(ProcessStartInfo start, int rows, int columns)
    {
        _command = start.FileName + " " + string.Join(' ', start.ArgumentList);
        _master = new FileStream("/dev/ptmx", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        string slave = $"/dev/pts/{Native.UnlockTerminal(_master.SafeFileHandle)}";
        Native.SetWindowSize(_master.SafeFileHandle, rows, columns);
        // setsid --ctty makes the terminal the controlling one, without which there are no ^C and no SIGWINCH.
        string[] command = [start.FileName, .. start.ArgumentList];
        start.FileName = "sh";
        start.ArgumentList.Clear();
        foreach (string word in (string[])["-c", "exec setsid --ctty --wait \"$@\" <\"$0\" >\"$0\" 2>\"$0\"", slave, .. command])
            start.ArgumentList.Add(word);
        _process = Process.Start(start) ?? throw new InvalidOperationException("cannot start 'sh'");
        new Thread(Collect) { IsBackground = true }.Start();
    }

    /// <summary>Everything shown so far.</summary>
    public string Screen
    {
        get
        {
            lock (_screen)
                return _screen.ToString();
        }
    }

    /// <summary>Types <paramref name="keys"/>.</summary>
    public void Type(string keys) => _master.Write(Encoding.UTF8.GetBytes(keys));

    /// <summary>Changes the terminal's size.</summary>
    public void Resize(int rows, int columns) => Native.SetWindowSize(_master.SafeFileHandle, rows, columns);

    /// <summary>Waits until <paramref name="part"/> has been shown.</summary>
    public Task WaitForAsync(string part, int timeoutSeconds = 30) =>
        Eventually.IsTrue(() => Screen.Contains(part, StringComparison.Ordinal), timeoutSeconds,
            () => $"'{part}' on the terminal of: {_command}\n--- screen ---\n{Screen}\n---");

    /// <summary>Types <paramref name="keys"/> again and again until <paramref name="part"/> has been shown, for what takes effect late.</summary>
    public async Task TypeUntilAsync(string keys, string part)
    {
        for (int attempt = 0; !Screen.Contains(part, StringComparison.Ordinal); attempt++)
        {
            if (attempt == 30)
                await WaitForAsync(part, timeoutSeconds: 0);
            Type(keys);
            await Task.Delay(Patience.Seconds(0.3));
        }
    }

    /// <summary>Waits for the command's end, until all that it wrote is on the screen, and returns its exit code.</summary>
    public async Task<int> ExitCodeAsync(int timeoutSeconds = 30)
    {
        using var limit = new CancellationTokenSource(Patience.Seconds(timeoutSeconds));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"no end within {timeoutSeconds} s: {_command}\n--- screen ---\n{Screen}\n---");
        }
        // Who still holds the terminal after that (a daemon that the command started, say) is not waited for.
        await Task.WhenAny(_collected.Task, Task.Delay(2000));
        return _process.ExitCode;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
        _master.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Collect()
    {
        byte[] buffer = new byte[4096];
        try
        {
            int count;
            while ((count = _master.Read(buffer)) > 0)
            {
                lock (_screen)
                    _screen.Append(Encoding.UTF8.GetString(buffer, 0, count));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // EIO is how a terminal says that its last process has gone.
        }
        _collected.SetResult();
    }
}
