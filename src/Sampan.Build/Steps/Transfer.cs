using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using Sampan.Build.Context;
using Sampan.Build.Files;
using Sampan.Store;

namespace Sampan.Build.Steps;

/// <summary>One thing that COPY or ADD puts into the image.</summary>
/// <param name="Path">Where it goes, absolute.</param>
/// <param name="Name">Its path in the source, for messages and cache keys.</param>
/// <param name="Source">What is copied; null for bytes that the Dockerfile gives.</param>
/// <param name="Content">These bytes.</param>
/// <param name="Overwrite">A directory that exists gets the attributes too.</param>
internal sealed record TransferItem(
    string Path, string Name, MergedNode? Source, ReadOnlyMemory<byte> Content, Attributes Attributes, bool Overwrite)
{
    public bool IsDirectory => Source is { Stat.IsDirectory: true };
}

/// <summary>What a COPY or ADD does, worked out completely before anything is written.</summary>
/// <param name="Items">In the order of writing: parents first, later sources last.</param>
/// <param name="ImpliedOwner">Owner of directories that have to be made on the way.</param>
/// <param name="Digests">Knows the files' digests; null reads each.</param>
internal sealed record Transfer(IReadOnlyList<TransferItem> Items, (uint Uid, uint Gid) ImpliedOwner, FileDigests? Digests)
{
    private const uint DirectoryMode = 0x1ED; // 0755

    /// <summary>The newest time among what is copied, in whole seconds; 0 when nothing has a time.</summary>
    public long NewestSeconds => Items.Where(item => item.Source is { IsTimeless: false })
        .Select(item => item.Attributes.Modified.Seconds).DefaultIfEmpty(0).Max();

    /// <summary>What of it counts for the cache: everything but times. Files that have to be read are read several at a time.</summary>
    public IReadOnlyList<CacheKeyPart> KeyParts(CancellationToken cancel)
    {
        var digests = Digests ?? new(memo: null, mayChange: false);
        var parts = new CacheKeyPart[Items.Count];
        try
        {
            Parallel.For(0, Items.Count, new() { CancellationToken = cancel, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
            {
                var (item, a) = (Items[i], Items[i].Attributes);
                parts[i] = new($"file {item.Name}", $"{item.Path} {Convert.ToString(a.Mode, 8)} {a.Uid}:{a.Gid} {Fingerprint(item, digests, cancel)}");
            });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions.FirstOrDefault(inner => inner is not OperationCanceledException) ?? e.InnerExceptions[0]);
        }

        return parts;
    }

    /// <summary>Writes it into an empty upper directory; false when nothing had to be written.</summary>
    public bool Write(string upper, MergedView below, long timeSeconds, CancellationToken cancel)
    {
        using var writer = new LayerWriter(upper, below, new(DirectoryMode, ImpliedOwner.Uid, ImpliedOwner.Gid, new(timeSeconds, 0)), Digests);
        foreach (var item in Items)
        {
            cancel.ThrowIfCancellationRequested();
            var attributes = item.Source is { IsTimeless: false } ? item.Attributes : item.Attributes with { Modified = new(timeSeconds, 0) };
            if (item.Source is null)
            {
                writer.File(item.Path, item.Content.Span, attributes);
            }
            else if (item.IsDirectory)
            {
                writer.Directory(item.Path, attributes, item.Overwrite, item.Source);
            }
            else
            {
                writer.Copy(item.Source, item.Path, attributes);
            }
        }

        writer.Finish();
        return !writer.IsEmpty;
    }

    private static string Fingerprint(TransferItem item, FileDigests digests, CancellationToken cancel)
    {
        if (item.Source is not { } source)
        {
            return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(item.Content.Span));
        }

        var stat = source.Stat;
        var what = stat.IsDirectory ? item.Overwrite ? "directory" : "directory if missing"
            : stat.IsSymlink ? $"symlink {MergedView.ReadLink(source)}"
            : stat.IsRegular ? "sha256:" + digests.Of(source, cancel)
            : $"node {stat.Type:x} {stat.DeviceMajor}:{stat.DeviceMinor}";
        return what + HashXattrs(source);
    }

    private static string HashXattrs(MergedNode node)
    {
        var names = Xattrs.Names(node);
        if (names.Count == 0)
        {
            return "";
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in names)
        {
            var value = Xattrs.Value(node, name) ?? [];
            hash.AppendData(Encoding.ASCII.GetBytes($"{name.Length}:{value.Length}:"));
            hash.AppendData(name);
            hash.AppendData(value);
        }

        return " xattrs " + Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
