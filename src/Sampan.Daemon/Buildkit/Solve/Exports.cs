using System.Globalization;
using System.Text;
using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>
/// Brings a result to where the client wants it: into the store by name, to a registry, or to the client as files, an archive or an OCI layout;
/// and the cache to directories of the client's.
/// </summary>
internal sealed class Exports(IEngine engine, ClientSession? session, LooseImages loose, Teller teller)
{
    private readonly Dictionary<string, string> _response = [];

    private ClientSession Session => session ?? throw new GrpcException(GrpcCode.InvalidArgument, "the output goes to the client, which has no session");

    /// <summary>Carries out all of them; gives what the client is told of the result.</summary>
    public async Task<IReadOnlyDictionary<string, string>> RunAsync(SolveResult result, SolveRequest request, CancellationToken cancel)
    {
        _response["containerimage.digest"] = _response["containerimage.config.digest"] = result.Image;
        for (var i = 0; i < request.Exporters.Count; i++)
        {
            await ExportAsync(result.Image, request.Exporters[i], i, cancel);
        }

        foreach (var directory in request.CacheExports.Where(target => target.Type == Frontend.Local).Select(target => target["dest"]).Distinct())
        {
            var manifest = await SendLayoutAsync("exporting cache to client directory", result.CacheImage, [], $"local:{directory}", cancel);
            _response["cache.manifest"] = Encoding.UTF8.GetString(manifest); // the client writes the directory's index
        }

        return _response;
    }

    private Task ExportAsync(string image, Target target, int number, CancellationToken cancel) => target.Type switch
    {
        "moby" or "image" => ImageAsync(image, target, cancel),
        "docker" or "oci" when target["tar"] is "false" or "0" => LayoutAsync(image, target, cancel),
        "docker" or "oci" => ArchiveAsync(image, target, number, cancel),
        "tar" => TarAsync(image, number, cancel),
        "local" => LocalAsync(image, number, cancel),
        _ => throw new GrpcException(GrpcCode.Unimplemented, $"an output of type={target.Type} is not supported"),
    };

    private static ImageReference[] Names(Target target) =>
        [.. (target["name"]?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? []).Select(ImageReference.Parse)];

    private async Task ImageAsync(string image, Target target, CancellationToken cancel)
    {
        var names = Names(target);
        await teller.DoAsync("exporting to image", async work =>
        {
            await work.StatusAsync($"writing image {image}", isDone: true);
            foreach (var name in names)
            {
                await engine.TagImageAsync(image, name.Name, name.Tag, cancel);
                await work.StatusAsync($"naming to {name}", isDone: true);
            }

            return true;
        }, cancel);
        loose.Keep(image); // also without a name
        if (names.Length > 0)
        {
            _response["image.name"] = string.Join<ImageReference>(',', names);
        }

        if (target.Is("push"))
        {
            foreach (var name in names.Length > 0 ? names : throw new GrpcException(GrpcCode.InvalidArgument, "tag is needed when pushing to registry"))
            {
                await teller.DoAsync($"pushing {name}", work => PushAsync(name, work, cancel), cancel);
            }
        }
    }

    private async Task<bool> PushAsync(ImageReference name, Teller.Work work, CancellationToken cancel)
    {
        var auth = session is null ? null : await new SessionClient(session).CredentialsAsync(name.Domain, cancel);
        await engine.PushImageAsync(new() { Image = name.Name, Tag = name.Tag, Auth = auth }, async message =>
        {
            if (message is { Id: { } id, Status: { } what })
            {
                var isDone = what is "Pushed" or "Layer already exists";
                await work.StatusAsync($"pushing layer {id}", message.ProgressDetail?.Current ?? 0, message.ProgressDetail?.Total ?? 0, isDone);
            }

            if (message.Aux?.Deserialize(ApiJson.Wire.PushResult) is { Digest.Length: > 0 } pushed)
            {
                _response["containerimage.digest"] = pushed.Digest;
            }
        }, cancel);
        return true;
    }

    /// <summary>An archive that can be loaded: it is an OCI layout, and has Docker's manifest as well.</summary>
    private Task ArchiveAsync(string image, Target target, int number, CancellationToken cancel) =>
        teller.DoAsync(Format(target), async work =>
        {
            var names = Names(target).Select(name => name.ToString()).ToList();
            var write = await engine.SaveImageAsAsync(image, names, cancel);
            await SendAsync(number, write, work, new() { ["image.name"] = string.Join(',', names) }, cancel);
            return true;
        }, cancel);

    private static string Format(Target target) => target.Type == "oci" ? "exporting to oci image format" : "exporting to docker image format";

    /// <summary>The image in a directory that is an OCI layout, whose index the client writes.</summary>
    private async Task LayoutAsync(string image, Target target, CancellationToken cancel)
    {
        var names = Names(target).Select(name => name.ToString()).ToList();
        _response["containerimage.descriptor"] = Convert.ToBase64String(await SendLayoutAsync(Format(target), image, names, "export", cancel));
        if (names.Count > 0)
        {
            _response["image.name"] = string.Join(',', names);
        }
    }

    /// <summary>Sends an image's blobs; gives the descriptor of its manifest.</summary>
    private Task<byte[]> SendLayoutAsync(string what, string image, List<string> names, string store, CancellationToken cancel) => teller.DoAsync(what, async work =>
    {
        var write = await engine.SaveImageAsAsync(image, names, cancel);
        var manifest = await ClientLayout.SendAsync(new(Session, store), write, cancel);
        await work.StatusAsync($"sending manifest {manifest.Digest}", isDone: true);
        return JsonSerializer.SerializeToUtf8Bytes(manifest, ImageJson.Compact.Descriptor);
    }, cancel);

    private Task TarAsync(string image, int number, CancellationToken cancel) => teller.DoAsync("exporting to client tarball", async work =>
    {
        var write = await engine.ImageFilesAsync(image, cancel);
        await SendAsync(number, write, work, [], cancel);
        return true;
    }, cancel);

    private Task LocalAsync(string image, int number, CancellationToken cancel) => teller.DoAsync("exporting to client directory", async work =>
    {
        var write = await engine.ImageFilesAsync(image, cancel);
        await using var call = OpenSend(number, [], cancel);
        var sender = await FileSender.OpenAsync(call, write, cancel);
        await using (sender)
        {
            await sender.RunAsync(cancel);
        }

        await work.StatusAsync("copying files", sender.TotalBytes, isDone: true);
        return true;
    }, cancel);

    private SessionCall OpenSend(int number, Dictionary<string, string> about, CancellationToken cancel) =>
        Session.Open("/moby.filesync.v1.FileSend/DiffCopy", cancel,
            [("buildkit-attachable-exporter-id", number.ToString(CultureInfo.InvariantCulture)), .. about.Select(pair => ($"exporter-md-{pair.Key}", pair.Value))]);

    private async Task SendAsync(
        int number, Func<Stream, CancellationToken, Task> write, Teller.Work work, Dictionary<string, string> about, CancellationToken cancel)
    {
        await using var call = OpenSend(number, about, cancel);
        await using var output = new ChunkStream(call, work);
        await write(output, cancel);
        await output.FlushAsync(cancel);
        await call.CompleteAsync();
        while (await call.ReadAsync() is not null)
        {
            // The client says when it has written everything.
        }

        await work.StatusAsync("sending tarball", output.TotalBytes, isDone: true);
    }

    /// <summary>What is written goes to the client in messages.</summary>
    private sealed class ChunkStream(SessionCall call, Teller.Work work) : SequentialStream
    {
        private const int ChunkBytes = 1 << 20;
        private const int EveryMs = 200;
        private readonly byte[] _chunk = new byte[ChunkBytes];
        private int _filled;
        private long _told;

        public override bool CanWrite => true;

        public long TotalBytes { get; private set; }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (!buffer.IsEmpty)
            {
                var count = Math.Min(buffer.Length, ChunkBytes - _filled);
                buffer[..count].CopyTo(_chunk.AsMemory(_filled));
                (_filled, buffer) = (_filled + count, buffer[count..]);
                TotalBytes += count;
                if (_filled == ChunkBytes)
                {
                    await FlushAsync(cancellationToken);
                }
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            if (_filled == 0)
            {
                return;
            }

            await call.WriteAsync(Chunk.Of(_chunk.AsSpan(0, _filled)));
            _filled = 0;
            if (Environment.TickCount64 - _told >= EveryMs)
            {
                _told = Environment.TickCount64;
                await work.StatusAsync("sending tarball", TotalBytes);
            }
        }
    }
}
