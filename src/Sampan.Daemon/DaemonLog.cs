namespace Sampan.Daemon;

/// <summary>The daemon's log: lines on standard error.</summary>
internal sealed class DaemonLog(TextWriter writer, bool debug)
{
    private readonly Lock _lock = new();

    public void Info(string message) => Write("info", message);

    public void Warn(string message) => Write("warning", message);

    /// <summary>The stack is of use to developers only, so it appears in debug mode.</summary>
    public void Error(string message, Exception? e = null) => Write("error", debug && e is not null ? $"{message}\n{e}" : message);

    public void Debug(string message)
    {
        if (debug)
        {
            Write("debug", message);
        }
    }

    private void Write(string level, string message)
    {
        lock (_lock)
        {
            writer.WriteLine($"{DateTime.UtcNow:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {level}: {message}");
            writer.Flush();
        }
    }
}
