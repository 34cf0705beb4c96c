using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Sampan.Engine.Containers;

/// <summary>One entry of a container's log.</summary>
/// <param name="Time">When the monitor read it, RFC 3339 with nanoseconds, as written.</param>
/// <param name="IsStderr">True for standard error.</param>
/// <param name="Text">The bytes as UTF-8, usually a line with its newline.</param>
internal readonly record struct LogEntry(string Time, bool IsStderr, byte[] Text)
{
    /// <summary>The time with all nine digits of its fraction, as <c>logs -t</c> shows it.</summary>
    public string FixedTime => Time.Length is > 20 and < 30 && Time[^1] == 'Z' && Time[19] == '.' ? Time[..^1].PadRight(29, '0') + "Z" : Time.Length == 20 ? Time[..19] + ".000000000Z" : Time;

    /// <summary>The time to compare with; entries whose time does not parse count as the oldest.</summary>
    public DateTimeOffset At => DateTimeOffset.TryParse(Time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : DateTimeOffset.MinValue;
}

/// <summary>
/// Reads the files that a monitor writes (Docker's json-file format, <c>NAME</c>, <c>NAME.1</c>, …, oldest last) and can follow them
/// over rotation.
/// </summary>
internal sealed class LogReader(string path)
{
    /// <summary>How often a followed file is looked at; an fstat each time.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(40);

    /// <summary>A line longer than this cannot come from a monitor (it splits at 16 KiB): the file is damaged.</summary>
    private const int LineLimit = 1 << 20;

    /// <summary>
    /// The entries after the last <paramref name="tail"/> (negative: all). With a <paramref name="stillRunning"/>, waits for more until
    /// that says no and the end is reached.
    /// </summary>
    public async IAsyncEnumerable<LogEntry> ReadAsync(int tail, Func<bool>? stillRunning, [EnumeratorCancellation] CancellationToken cancel)
    {
        var files = Files();
        var skip = tail < 0 ? 0 : Math.Max(0, await CountAsync(files, cancel) - tail);
        foreach (var older in files.SkipLast(1))
        {
            await using var stream = Open(older);
            await foreach (var entry in EntriesAsync(stream, null, cancel))
            {
                if (skip > 0)
                {
                    skip--;
                    continue;
                }

                yield return entry;
            }
        }

        await foreach (var entry in FollowAsync(stillRunning, cancel))
        {
            if (skip > 0)
            {
                skip--;
                continue;
            }

            yield return entry;
        }
    }

    private async IAsyncEnumerable<LogEntry> FollowAsync(Func<bool>? stillRunning, [EnumeratorCancellation] CancellationToken cancel)
    {
        while (!File.Exists(path))
        {
            if (stillRunning is null || !stillRunning())
            {
                yield break;
            }

            await Task.Delay(PollInterval, cancel);
        }

        var stream = Open(path);
        try
        {
            while (true)
            {
                var rotated = false;
                var current = stream;
                async ValueTask<bool> MoreAsync()
                {
                    if (stillRunning is null)
                    {
                        return false;
                    }

                    // Asked before looking at the length: what was written before the end is then still seen.
                    var running = stillRunning();
                    if (current.Position < current.Length)
                    {
                        return true;
                    }

                    if (new FileInfo(path) is { Exists: true } now && now.Length < current.Position)
                    {
                        rotated = true;
                        return false;
                    }

                    if (!running)
                    {
                        return false;
                    }

                    await Task.Delay(PollInterval, cancel);
                    return true;
                }

                await foreach (var entry in EntriesAsync(stream, MoreAsync, cancel))
                {
                    yield return entry;
                }

                if (!rotated)
                {
                    yield break;
                }

                await stream.DisposeAsync();
                stream = Open(path);
            }
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    private static async IAsyncEnumerable<LogEntry> EntriesAsync(Stream stream, Func<ValueTask<bool>>? more,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        var buffer = new byte[64 * 1024];
        int start = 0, end = 0;
        while (true)
        {
            int newline;
            while ((newline = buffer.AsSpan(start, end - start).IndexOf((byte)'\n')) >= 0)
            {
                if (Parse(buffer.AsSpan(start, newline)) is { } entry)
                {
                    yield return entry;
                }

                start += newline + 1;
            }

            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (start, end) = (0, end - start);
            }

            if (end == buffer.Length)
            {
                if (buffer.Length >= LineLimit)
                {
                    throw new InvalidDataException($"log file has a line of more than {LineLimit} bytes");
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }

            var read = await stream.ReadAsync(buffer.AsMemory(end), cancel);
            end += read;
            if (read == 0 && (more is null || !await more()))
            {
                yield break;
            }
        }
    }

    /// <summary>One line of the file; null for one that is damaged (a crash in the middle of a write), which is passed over.</summary>
    private static LogEntry? Parse(ReadOnlySpan<byte> line)
    {
        byte[] text = [];
        string time = "", source = "stdout";
        try
        {
            var reader = new Utf8JsonReader(line);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                {
                    continue;
                }

                if (reader.ValueTextEquals("log"u8))
                {
                    reader.Read();
                    text = Encoding.UTF8.GetBytes(reader.GetString() ?? "");
                }
                else if (reader.ValueTextEquals("stream"u8))
                {
                    reader.Read();
                    source = reader.GetString() ?? "";
                }
                else if (reader.ValueTextEquals("time"u8))
                {
                    reader.Read();
                    time = reader.GetString() ?? "";
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return time.Length == 0 ? null : new LogEntry(time, source == "stderr", text);
    }

    private static async Task<int> CountAsync(IReadOnlyList<string> files, CancellationToken cancel)
    {
        var count = 0;
        var buffer = new byte[64 * 1024];
        foreach (var file in files)
        {
            await using var stream = Open(file);
            int read;
            while ((read = await stream.ReadAsync(buffer, cancel)) > 0)
            {
                count += buffer.AsSpan(0, read).Count((byte)'\n');
            }
        }

        return count;
    }

    /// <summary>The files that exist, oldest first.</summary>
    private List<string> Files()
    {
        var files = new List<string>();
        for (var i = 1; File.Exists($"{path}.{i}"); i++)
        {
            files.Insert(0, $"{path}.{i}");
        }

        if (File.Exists(path))
        {
            files.Add(path);
        }

        return files;
    }

    private static FileStream Open(string file) => new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
}
