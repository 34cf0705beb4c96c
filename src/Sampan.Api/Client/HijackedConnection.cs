using System.Net.Sockets;

namespace Sampan.Api;

/// <summary>A connection that has left HTTP: raw bytes both ways. Dispose closes it.</summary>
public sealed class HijackedConnection : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;

    internal HijackedConnection(Socket socket, ReadOnlyMemory<byte> alreadyRead, string? mediaType)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        Output = alreadyRead.IsEmpty ? _stream : new PrefixedStream(alreadyRead, _stream);
        MediaType = mediaType;
    }

    /// <summary>What the server sends.</summary>
    public Stream Output { get; }

    /// <summary>What the client sends; not buffered.</summary>
    public Stream Input => _stream;

    /// <summary>The answer's content type; says whether the output is multiplexed from API 1.42.</summary>
    public string? MediaType { get; }

    /// <summary>True when the output comes in frames, see <see cref="StdCopy"/>; false when raw or not told.</summary>
    public bool IsMultiplexed => MediaType == "application/vnd.docker.multiplexed-stream";

    /// <summary>Says that no more input comes; output still flows. May be called twice and after the server has gone.</summary>
    public void CloseWrite()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The peer has closed already: there is nobody left to tell.
        }
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();
}
