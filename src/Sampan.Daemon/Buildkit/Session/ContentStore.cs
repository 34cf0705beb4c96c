using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Wire;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>The blobs of an OCI layout that the client has, by digest. The client serves them with containerd's content API.</summary>
/// <param name="id">The client's name for the directory.</param>
internal sealed class ContentStore(ClientSession session, string id)
{
    private const string Service = "/containerd.services.content.v1.Content/";
    private const int ChunkBytes = 1 << 20;

    /// <summary>What a message of a write asks for.</summary>
    private enum WriteAction : ulong
    {
        Stat = 0,
        Write = 1,
        Commit = 2,
    }

    /// <summary>A small blob.</summary>
    /// <exception cref="GrpcException">It is not there, or has more than so many bytes.</exception>
    public async Task<byte[]> ReadAsync(Digest digest, int limit, CancellationToken cancel)
    {
        using var all = new MemoryStream();
        await CopyAsync(digest, data =>
        {
            all.Write(data.Span);
            return all.Length <= limit ? Task.CompletedTask
                : throw new GrpcException(GrpcCode.InvalidArgument, $"blob {digest} has more than the {limit:N0} bytes that it may have");
        }, cancel);
        return all.ToArray();
    }

    /// <summary>Reads a blob piece by piece.</summary>
    public async Task CopyAsync(Digest digest, Func<ReadOnlyMemory<byte>, Task> take, CancellationToken cancel)
    {
        await using var call = Open("Read", cancel);
        await call.WriteAsync(new ProtoWriter().String(1, digest.ToString()).Written);
        await call.CompleteAsync();
        while (await call.ReadAsync() is { } message)
        {
            await take(DataOf(message));
        }
    }

    /// <summary>Writes a blob unless it is there.</summary>
    public async Task WriteAsync(Digest digest, long size, Stream data, CancellationToken cancel)
    {
        var name = $"sampan-{digest}";
        await using var call = Open("Write", cancel);
        try
        {
            await ExchangeAsync(call, WriteAction.Stat, message => message.String(2, name).Int64(3, size).String(4, digest.ToString()));
            var buffer = new byte[Math.Clamp(size, 1, ChunkBytes)];
            for (var offset = 0L; offset < size;)
            {
                var count = await data.ReadAtLeastAsync(buffer, (int)Math.Min(buffer.Length, size - offset), throwOnEndOfStream: true, cancel);
                await ExchangeAsync(call, WriteAction.Write, message => message.String(2, name).Int64(5, offset).Bytes(6, buffer.AsSpan(0, count)));
                offset += count;
            }

            await ExchangeAsync(call, WriteAction.Commit, message => message.String(2, name).Int64(3, size).String(4, digest.ToString()).Int64(5, size));
        }
        catch (GrpcException e) when (e.Code == GrpcCode.AlreadyExists)
        {
            return;
        }
    }

    private SessionCall Open(string method, CancellationToken cancel) =>
        session.Methods.Contains(Service + method) ? session.Open(Service + method, cancel, ("buildkit-attachable-store-id", id))
            : throw new GrpcException(GrpcCode.Unimplemented, $"the client serves no directory '{id}'");

    private static async Task ExchangeAsync(SessionCall call, WriteAction action, Func<ProtoWriter, ProtoWriter> message)
    {
        await call.WriteAsync(message(new ProtoWriter().UInt64(1, (ulong)action)).Written);
        _ = await call.ReadAsync() ?? throw new GrpcException(GrpcCode.Internal, "the client ends a blob before it is complete");
    }

    private static byte[] DataOf(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        byte[] data = [];
        while (reader.Next())
        {
            data = reader.Field == 2 ? reader.Bytes().ToArray() : data;
        }

        return data;
    }
}
