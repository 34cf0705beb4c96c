using Sampan.Api;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>Keeps a few small files of a transfer in memory (a Dockerfile and what belongs to it).</summary>
internal sealed class MemorySink : IFileSink
{
    private const int MaxBytes = 16 << 20;
    private const int MaxLinks = 40;
    private readonly Dictionary<string, MemoryStream> _files = [];
    private readonly Dictionary<string, string> _links = [];
    private MemoryStream _current = new();
    private long _total;

    /// <summary>A file's bytes, wherever its symlinks lead; null when it was not sent.</summary>
    public byte[]? Find(string path)
    {
        for (var i = 0; i < MaxLinks; i++)
        {
            if (_files.TryGetValue(path, out var file))
            {
                return file.ToArray();
            }

            if (!_links.TryGetValue(path, out var target))
            {
                return null;
            }

            path = Path.GetFullPath(Path.Combine("/", Path.GetDirectoryName(path) ?? "", target))[1..];
        }

        return null;
    }

    public Task BeginAsync(FileEntry entry, bool isHardLink, CancellationToken cancel)
    {
        if (entry.IsSymlink)
        {
            _links[entry.Path] = entry.Link;
        }
        else if (entry.IsRegular)
        {
            _files[entry.Path] = _current = isHardLink ? _files.GetValueOrDefault(entry.Link) ?? new() : new();
        }

        return Task.CompletedTask;
    }

    public Task DataAsync(ReadOnlyMemory<byte> data, CancellationToken cancel)
    {
        _total += data.Length;
        if (_total > MaxBytes)
        {
            throw new ApiException(400, $"the Dockerfile and its ignore file have more than the {MaxBytes:N0} bytes that they may have");
        }

        _current.Write(data.Span);
        return Task.CompletedTask;
    }

    public Task EndAsync(FileEntry entry, CancellationToken cancel) => Task.CompletedTask;
}
