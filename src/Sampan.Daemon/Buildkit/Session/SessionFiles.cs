namespace Sampan.Daemon.Buildkit.Session;

/// <summary>A client's directories, and what it sends by its standard input.</summary>
internal static class SessionFiles
{
    private const string DiffCopy = "/moby.filesync.v1.FileSync/DiffCopy";
    private const string Pull = "/moby.upload.v1.Upload/Pull";

    /// <summary>Takes a few small files.</summary>
    public static async Task<MemorySink> ReadAsync(ClientSession session, FileWish wish, CancellationToken cancel)
    {
        var sink = new MemorySink();
        await using var call = session.Open(DiffCopy, cancel, wish.Metadata);
        await new FileReceiver(call, sink).RunAsync(cancel);
        return sink;
    }

    /// <summary>Takes a directory as a tar. Dispose the stream to end the transfer.</summary>
    /// <param name="known">What need not come; null for nothing.</param>
    /// <param name="progress">Gets the number of bytes so far.</param>
    /// <param name="finished">Gets it when everything has come.</param>
    public static Stream OpenArchive(
        ClientSession session, FileWish wish, KnownFiles? known, Func<long, ValueTask> progress, Func<long, Task> finished, CancellationToken cancel) =>
        new Transfer(async (output, stop) =>
        {
            var archive = new ArchiveWriter(output);
            await using var call = session.Open(DiffCopy, stop, wish.Metadata);
            var receiver = new FileReceiver(call, archive, progress, known);
            await receiver.RunAsync(stop);
            await archive.FinishAsync(stop);
            await finished(receiver.TotalBytes);
        }, cancel);

    /// <summary>Takes what the client reads from its standard input.</summary>
    /// <param name="name">The client's name for it.</param>
    public static Stream OpenUpload(ClientSession session, string name, CancellationToken cancel) => new Transfer(async (output, stop) =>
    {
        await using var call = session.Open(Pull, stop, ("urlpath", name));
        while (await call.ReadAsync() is { } message)
        {
            await output.WriteAsync(Chunk.Parse(message), stop);
        }
    }, cancel);
}
