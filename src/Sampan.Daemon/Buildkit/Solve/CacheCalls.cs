using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>The build cache as BuildKit's clients see it (<c>buildx du</c>, <c>buildx prune</c>).</summary>
internal sealed class CacheCalls(IEngine engine)
{
    /// <summary><c>DiskUsageRequest</c> to <c>DiskUsageResponse</c>.</summary>
    public async Task DiskUsageAsync(GrpcCall call)
    {
        var filters = Filters(new Fields(await call.RequestAsync()).All(1));
        var response = new ProtoWriter();
        foreach (var record in await RecordsAsync(call.Cancel))
        {
            if (filters.Count == 0 || Matches(record, filters))
            {
                response.Message(1, message => Write(message, record));
            }
        }

        await call.WriteAsync(response.Written);
    }

    /// <summary><c>PruneRequest</c> to the records that have gone.</summary>
    public async Task PruneAsync(GrpcCall call)
    {
        var request = new Fields(await call.RequestAsync());
        var filters = Filters(request.All(1));
        var keep = TimeSpan.FromMicroseconds(request.Number(3) / 1000);
        if (keep > TimeSpan.Zero)
        {
            filters["unused-for"] = [FormattableString.Invariant($"{keep.TotalSeconds:F0}s")];
        }

        var before = (await RecordsAsync(call.Cancel)).ToDictionary(record => record.ID);
        var answer = await engine.PruneBuildCacheAsync(new()
        {
            All = request.Number(2) != 0,
            ReservedSpace = Math.Max(request.Number(4), request.Number(5)),
            Filters = filters,
        }, call.Cancel);
        foreach (var id in answer.CachesDeleted ?? [])
        {
            await call.WriteAsync(Written(before.GetValueOrDefault(id) ?? new() { ID = id }));
        }
    }

    private async Task<List<BuildCache>> RecordsAsync(CancellationToken cancel) =>
        (await engine.DiskUsageAsync(new() { Images = false, Containers = false, Volumes = false }, cancel)).BuildCacheUsage?.Items ?? [];

    /// <summary>From <c>name==value</c>, <c>name~=value</c> and the like; only equality is known.</summary>
    private static Dictionary<string, List<string>> Filters(IReadOnlyList<string> filters) => filters
        .SelectMany(filter => filter.Split(',', StringSplitOptions.RemoveEmptyEntries))
        .Select(filter => filter.Split("==", 2) is [var name, var value] ? (Name: name.Trim(), Value: value.Trim())
            : throw new GrpcException(GrpcCode.Unimplemented, $"filter '{filter}' is not supported: want NAME=VALUE"))
        .GroupBy(pair => pair.Name).ToDictionary(group => group.Key, group => group.Select(pair => pair.Value).ToList());

    private static bool Matches(BuildCache record, Dictionary<string, List<string>> filters) => filters.All(filter => filter.Value.Contains(filter.Key switch
    {
        "id" => record.ID,
        "type" => record.Type,
        "description" => record.Description,
        "inuse" => record.InUse ? "true" : "false",
        "shared" => record.Shared ? "true" : "false",
        _ => throw new GrpcException(GrpcCode.InvalidArgument, $"unknown filter '{filter.Key}'"),
    }));

    private static ReadOnlyMemory<byte> Written(BuildCache record)
    {
        var writer = new ProtoWriter();
        Write(writer, record);
        return writer.Written;
    }

    private static void Write(ProtoWriter message, BuildCache record)
    {
        message.String(1, record.ID).Bool(3, record.InUse).Int64(4, record.Size)
            .Time(6, GoTime.Parse(record.CreatedAt)).Time(7, GoTime.Parse(record.LastUsedAt)).Int64(8, record.UsageCount)
            .String(9, record.Description).String(10, record.Type).Bool(11, record.Shared);
        foreach (var parent in record.Parents ?? [])
        {
            message.String(12, parent);
        }
    }
}
