using System.Text.Json;
using Sampan.Api;

namespace Sampan.Daemon.Http;

/// <summary>
/// Progress lines as an answer (build, import, load). It begins with the first line, so that an error before that is an answer of its own
/// with a status; an error after that is the last line.
/// </summary>
internal sealed class ProgressStream(ApiCall call)
{
    private Stream? _body;

    public bool Started => _body is not null;

    public async ValueTask WriteAsync(JsonMessage message)
    {
        _body ??= await call.StreamAsync("application/json");
        var bytes = JsonSerializer.SerializeToUtf8Bytes(message, ApiJson.Wire.JsonMessage);
        var line = new byte[bytes.Length + 2];
        bytes.CopyTo(line, 0);
        "\r\n"u8.CopyTo(line.AsSpan(bytes.Length));
        await _body.WriteAsync(line, call.Cancel);
    }

    /// <summary>Runs the work that writes the lines.</summary>
    public async Task RunAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (Started && !call.Cancel.IsCancellationRequested)
        {
            var (_, message) = Errors.Describe(e);
            await WriteAsync(JsonMessage.OfError(message, e.Data["exitCode"] as int? ?? 0));
            return;
        }

        _body ??= await call.StreamAsync("application/json");
    }
}
