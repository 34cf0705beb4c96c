using Microsoft.AspNetCore.Http;

namespace Sampan.Daemon.Buildkit.Grpc;

/// <summary>One call on its way through its handler: what the client says, and what it is told.</summary>
internal sealed class GrpcCall(HttpContext http)
{
    /// <summary><c>/package.Service/Method</c>.</summary>
    public string Method => http.Request.Path.Value ?? "";

    /// <summary>The connection that the call came on.</summary>
    public string Connection => http.Connection.Id;

    /// <summary>Fires when the client has given up the call or gone, and when the daemon stops.</summary>
    public CancellationToken Cancel => http.RequestAborted;

    /// <summary>A metadata value; null when it is absent.</summary>
    public string? Metadata(string name) => http.Request.Headers.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>The one message of a call that has one.</summary>
    public async Task<byte[]> RequestAsync() =>
        await ReadAsync() ?? throw new GrpcException(GrpcCode.InvalidArgument, "the call has no message");

    /// <summary>The next message; null at the end.</summary>
    public ValueTask<byte[]?> ReadAsync() => GrpcFrames.ReadAsync(http.Request.Body, Cancel);

    public ValueTask WriteAsync(ReadOnlyMemory<byte> message) => GrpcFrames.WriteAsync(http.Response.Body, message, Cancel);
}
