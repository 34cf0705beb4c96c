using System.Text;
using System.Threading.Channels;
using Sampan.Api;
using Sampan.Build.Progress;

namespace Sampan.Engine.Builds;

/// <summary>
/// Tells a client how its build goes: as the classic builder's text, or as steps. The build's threads report here and never wait, for all of
/// them may do so at once; the client gets one stream. Disposing it sends what is left.
/// </summary>
internal sealed class BuildMessages : IBuildProgress, IAsyncDisposable
{
    /// <summary>How many pieces may wait for a slow client.</summary>
    private const int QueueLength = 1024;

    private readonly Channel<JsonMessage> _queue = Channel.CreateBounded<JsonMessage>(QueueLength);
    private readonly Decoder _decoder = new UTF8Encoding(false).GetDecoder();
    private readonly IBuildProgress _told;
    private readonly CancellationToken _cancel;
    private readonly Task _sending;

    // Writers that find the queue full stand in line: the last one's turn is everyone's.
    private Task _written = Task.CompletedTask;

    public BuildMessages(BuildOptions options, Func<JsonMessage, ValueTask> client, TimeProvider time, CancellationToken cancel)
    {
        _cancel = cancel;
        _told = options.TellsSteps ? new StatusProgress(time, status => Send(JsonMessage.OfStatus(status)))
            : new ClassicProgress(bytes => SendText(bytes.Span)) { Explain = options.Explain };
        _sending = SendAsync(client);
    }

    public void Report(BuildEvent what)
    {
        if (what is BuildFinished finished)
        {
            Send(JsonMessage.OfImageId(finished.ImageId.ToString(), finished.IsNew));
        }

        _told.Report(what);
    }

    public Task HeardAsync() => _written;

    public async ValueTask DisposeAsync()
    {
        await _written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _queue.Writer.TryComplete();
        await _sending;
    }

    /// <summary>Line by line: clients look at the last message for what was built.</summary>
    private void SendText(ReadOnlySpan<byte> bytes)
    {
        // A letter may be cut in two by the end of a piece: the decoder keeps its first half.
        var letters = new char[bytes.Length + 1];
        var text = letters.AsSpan(0, _decoder.GetChars(bytes, letters, flush: false));
        while (!text.IsEmpty)
        {
            var length = text.IndexOf('\n') is >= 0 and var end ? end + 1 : text.Length;
            Send(new JsonMessage { Stream = text[..length].ToString() });
            text = text[length..];
        }
    }

    private void Send(JsonMessage message) => _written = _queue.Writer.WriteAsync(message, _cancel).AsTask();

    private async Task SendAsync(Func<JsonMessage, ValueTask> client)
    {
        try
        {
            await foreach (var message in _queue.Reader.ReadAllAsync(CancellationToken.None))
            {
                await client(message);
            }
        }
        finally
        {
            // Nobody stands in line for a client that is gone.
            _queue.Writer.TryComplete();
        }
    }
}
