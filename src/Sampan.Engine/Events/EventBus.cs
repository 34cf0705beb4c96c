using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Sampan.Api;

namespace Sampan.Engine.Events;

/// <summary>What happened, for whoever asks: the last events are kept, so that <c>since</c> can look back; slow readers lose the oldest.</summary>
internal sealed class EventBus(TimeProvider time)
{
    /// <summary>How many past events are kept for <c>--since</c>; dockerd keeps as many.</summary>
    private const int Kept = 256;

    /// <summary>How far a reader may fall behind before it loses the oldest events.</summary>
    private const int QueueLength = 4096;

    private readonly Lock _lock = new();
    private readonly Queue<EventMessage> _past = new();
    private readonly List<Channel<EventMessage>> _readers = [];

    public void Publish(string type, string action, string id, IReadOnlyDictionary<string, string>? attributes = null)
    {
        var now = time.GetUtcNow();
        var nanoseconds = (now - DateTimeOffset.UnixEpoch).Ticks * 100;
        var message = new EventMessage
        {
            Type = type,
            Action = action,
            Actor = new EventActor { ID = id, Attributes = attributes is null ? [] : new Dictionary<string, string>(attributes) },
            Scope = "local",
            Time = now.ToUnixTimeSeconds(),
            TimeNano = nanoseconds,
        };
        lock (_lock)
        {
            if (_past.Count == Kept)
            {
                _past.Dequeue();
            }

            _past.Enqueue(message);
            foreach (var reader in _readers)
            {
                reader.Writer.TryWrite(message);
            }
        }
    }

    /// <summary>Past events from <paramref name="since"/> on (when given), then new ones until <paramref name="until"/> or cancellation.</summary>
    public async IAsyncEnumerable<EventMessage> ReadAsync(DateTimeOffset? since, DateTimeOffset? until, Filters filters,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        var channel = Channel.CreateBounded<EventMessage>(new BoundedChannelOptions(QueueLength)
        {
            FullMode = BoundedChannelFullMode.DropOldest,
            SingleReader = true,
        });
        EventMessage[] past;
        lock (_lock)
        {
            past = since is null ? [] : [.. _past];
            _readers.Add(channel);
        }

        try
        {
            foreach (var message in past)
            {
                if (At(message) >= since && !(At(message) > until) && Matches(message, filters))
                {
                    yield return message;
                }
            }

            using var deadline = new CancellationTokenSource(Remaining(until), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
            while (true)
            {
                EventMessage message;
                try
                {
                    message = await channel.Reader.ReadAsync(either.Token);
                }
                catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancel.IsCancellationRequested)
                {
                    yield break;
                }

                if (Matches(message, filters))
                {
                    yield return message;
                }
            }
        }
        finally
        {
            lock (_lock)
            {
                _readers.Remove(channel);
            }
        }
    }

    private TimeSpan Remaining(DateTimeOffset? until)
    {
        if (until is not { } end)
        {
            return Timeout.InfiniteTimeSpan;
        }

        var left = end - time.GetUtcNow();
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private static DateTimeOffset At(EventMessage m) => DateTimeOffset.UnixEpoch.AddTicks(m.TimeNano / 100);

    private static bool Matches(EventMessage m, Filters f)
    {
        var attributes = m.Actor.Attributes;
        bool Named(string type, string value) => m.Type == type
            && (m.Actor.ID == value || m.Actor.ID.StartsWith(value, StringComparison.Ordinal) || attributes.GetValueOrDefault("name") == value);
        return f.Match("type", v => m.Type == v)
            && f.Match("event", v => m.Action == v || m.Action.StartsWith(v + ":", StringComparison.Ordinal))
            && f.Match("scope", v => m.Scope == v)
            && f.Match("container", v => Named("container", v) || attributes.GetValueOrDefault("container") == v)
            && f.Match("image", v => Named("image", v) || (m.Type == "container" && attributes.GetValueOrDefault("image") == v))
            && f.Match("volume", v => Named("volume", v))
            && f.Match("network", v => Named("network", v))
            && f.Match("daemon", v => m.Type == "daemon")
            && f.MatchLabels(attributes);
    }
}
