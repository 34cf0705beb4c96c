using System.Threading.Channels;
using Sampan.Api;
using Sampan.Registry;

namespace Sampan.Engine;

/// <summary>
/// Takes a transfer's messages from many threads to one client, in order. Amounts are dropped when the client is slow; what is said once is not.
/// </summary>
internal sealed class TransferProgress
{
    private const int QueueLength = 1024, BarCells = 50;

    private static readonly string[] Units = ["B", "kB", "MB", "GB", "TB", "PB"];

    private readonly Channel<JsonMessage> _queue = Channel.CreateBounded<JsonMessage>(QueueLength);
    private readonly Task _sending;

    public TransferProgress(Func<JsonMessage, ValueTask> client) => _sending = Task.Run(async () =>
    {
        try
        {
            await foreach (var message in _queue.Reader.ReadAllAsync())
            {
                await client(message);
            }
        }
        finally
        {
            // A client that has gone must not hold up those who report.
            _queue.Writer.TryComplete();
            while (_queue.Reader.TryRead(out _))
            {
            }
        }
    });

    public void Report(TransferMessage message)
    {
        var json = new JsonMessage
        {
            Id = message.Id,
            Status = message.Status,
            ProgressDetail = message.IsItem ? new ProgressDetail { Current = message.Current, Total = message.Total } : null,
            Progress = message.Current > 0 ? Bar(message.Current, message.Total) : null,
        };
        while (!_queue.Writer.TryWrite(json) && !message.IsAmount && _queue.Writer.WaitToWriteAsync().AsTask().GetAwaiter().GetResult())
        {
        }
    }

    public void Report(JsonMessage message)
    {
        while (!_queue.Writer.TryWrite(message) && _queue.Writer.WaitToWriteAsync().AsTask().GetAwaiter().GetResult())
        {
        }
    }

    /// <summary>Runs a transfer; when it is over, well or not, everything it said is with the client.</summary>
    public static async Task<T> RunAsync<T>(Func<JsonMessage, ValueTask> client, Func<TransferProgress, Task<T>> transfer)
    {
        var progress = new TransferProgress(client);
        try
        {
            return await transfer(progress);
        }
        finally
        {
            progress._queue.Writer.TryComplete();
            await progress._sending;
        }
    }

    /// <summary><c>[====>    ]  1.2MB/3.4MB</c>, which clients show as it is when they do not draw themselves.</summary>
    private static string Bar(long current, long total)
    {
        if (total <= 0)
        {
            return Size(current);
        }

        var done = (int)(Math.Min(current, total) * BarCells / total);
        return $"[{new string('=', done)}{(done < BarCells ? ">" : "")}{new string(' ', Math.Max(0, BarCells - done - 1))}] {Size(current),8}/{Size(total)}";
    }

    private static string Size(double bytes)
    {
        var unit = 0;
        for (; bytes >= 1000 && unit < 5; unit++)
        {
            bytes /= 1000;
        }

        return $"{bytes:G4}{Units[unit]}";
    }
}
