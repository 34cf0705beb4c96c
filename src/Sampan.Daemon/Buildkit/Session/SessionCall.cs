using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>Messages that go and come independently of each other. Writing and reading are each for one thread.</summary>
internal interface IMessageStream
{
    ValueTask WriteAsync(ReadOnlyMemory<byte> message);

    /// <summary>Tells the other side that no more messages follow.</summary>
    ValueTask CompleteAsync();

    /// <summary>The next message; null at the end, when the other side says that all is well.</summary>
    /// <exception cref="GrpcException">The call has failed, or the other side has gone.</exception>
    ValueTask<byte[]?> ReadAsync();
}

/// <summary>A call of a client's service.</summary>
internal sealed class SessionCall : IMessageStream, IAsyncDisposable
{
    private readonly CancellationTokenSource _cancel;
    private readonly HttpRequestMessage _request;
    private readonly Pipe _outgoing = new();
    private readonly Stream _out;
    private readonly Task<HttpResponseMessage> _answer;
    private Stream? _in;

    public SessionCall(HttpClient http, HttpRequestMessage request, CancellationTokenSource cancel)
    {
        (_cancel, _request) = (cancel, request);
        _out = _outgoing.Writer.AsStream(leaveOpen: true);
        request.Content = new PipeContent(_outgoing.Reader);
        request.Content.Headers.ContentType = new("application/grpc");
        _answer = http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel.Token);
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> message) => GrpcFrames.WriteAsync(_out, message, _cancel.Token);

    public ValueTask CompleteAsync() => _outgoing.Writer.CompleteAsync();

    public async ValueTask<byte[]?> ReadAsync()
    {
        try
        {
            var answer = await _answer;
            _in ??= answer.StatusCode == HttpStatusCode.OK ? await answer.Content.ReadAsStreamAsync(_cancel.Token)
                : throw new GrpcException(GrpcCode.Unavailable, $"the client answers with HTTP status {(int)answer.StatusCode}");
            if (await GrpcFrames.ReadAsync(_in, _cancel.Token) is { } message)
            {
                return message;
            }

            // An answer without messages may have its status among the headers.
            var status = Value(answer.TrailingHeaders, "grpc-status") ?? Value(answer.Headers, "grpc-status");
            var code = int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? (GrpcCode)number : GrpcCode.Unknown;
            return code == GrpcCode.Ok ? null : throw new GrpcException(code, Uri.UnescapeDataString(
                Value(answer.TrailingHeaders, "grpc-message") ?? Value(answer.Headers, "grpc-message") ?? "the client gives no reason"));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new GrpcException(GrpcCode.Unavailable, $"the client's session has broken off: {e.Message}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _cancel.CancelAsync();
        await _outgoing.Writer.CompleteAsync();
        try
        {
            (await _answer).Dispose();
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // Whoever waited for the answer knows.
        }

        _request.Dispose();
        _cancel.Dispose();
    }

    private static string? Value(HttpHeaders headers, string name) => headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;

    /// <summary>A body that is sent as it is written.</summary>
    private sealed class PipeContent(PipeReader reader) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            try
            {
                await stream.FlushAsync(cancellationToken); // the headers go before the first message does
                while (true)
                {
                    var read = await reader.ReadAsync(cancellationToken);
                    foreach (var part in read.Buffer)
                    {
                        await stream.WriteAsync(part, cancellationToken);
                    }

                    reader.AdvanceTo(read.Buffer.End);
                    await stream.FlushAsync(cancellationToken);
                    if (read.IsCompleted)
                    {
                        return;
                    }
                }
            }
            finally
            {
                // Nobody takes any more: a client that has given up the call must not make the writer wait, who reads why after it.
                await reader.CompleteAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
