using Sampan.Api;
using Sampan.Store;

namespace Sampan.Engine.Builds;

/// <summary>The store's copy of a client's directory, as the daemon's transports fill it.</summary>
internal sealed class KeptContext(ContextCopy copy, ApplyLimits limits) : IContextCopy
{
    public string Path => copy.Path;

    public byte[] Record => copy.Record;

    public void Remove(IEnumerable<byte[]> paths) => copy.Remove(paths);

    public Task UpdateAsync(Stream tar, CancellationToken cancel) => copy.UpdateAsync(tar, limits, cancel);

    public void Keep(ReadOnlySpan<byte> record, string description, long size) => copy.Keep(record, description, size);

    public void Dispose() => copy.Dispose();
}
