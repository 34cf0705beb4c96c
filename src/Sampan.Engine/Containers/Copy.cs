using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Linux;
using Sampan.Runtime;
using Sampan.Store;

namespace Sampan.Engine;

/// <summary><c>cp</c> and <c>export</c>: a container's files as tar archives, whether it runs or not.</summary>
public sealed partial class EngineService
{
    private string MountDirectory => Path.Combine(_options.ExecRoot, "mnt");

    public Task<Func<Stream, CancellationToken, Task>> ExportAsync(string name, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        var root = MergedRoot.View(Overlay(container.Record), MountDirectory);
        Publish(container, "export");
        return Task.FromResult<Func<Stream, CancellationToken, Task>>(async (output, stop) =>
        {
            using (root)
            {
                await TarTree.WriteAsync(root.Path, "/", output, new TarTreeOptions { Rename = "" }, stop);
            }
        });
    }

    public async Task<ContainerPathStat> ArchiveStatAsync(string name, string path, CancellationToken cancel)
    {
        using var root = await FilesOfAsync(_containers.Get(name), write: false, cancel);
        return StatOf(root, name, path);
    }

    public async Task<ArchiveDownload> ArchiveGetAsync(string name, string path, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        var root = await FilesOfAsync(container, write: false, cancel);
        try
        {
            var stat = StatOf(root, name, path);
            Publish(container, "archive-path");

            // Clients rename what they get by the last part of what they asked for.
            var rename = path.EndsWith("/.", StringComparison.Ordinal) ? "." : null;
            return new ArchiveDownload(stat, async (output, stop) =>
            {
                using (root)
                {
                    await TarTree.WriteAsync(root.Path, path, output,
                        new TarTreeOptions { Rename = rename, IsAbsolute = rename is null && stat.Name == "/" }, stop);
                }
            });
        }
        catch
        {
            root.Dispose();
            throw;
        }
    }

    public async Task ArchivePutAsync(string name, string path, ArchivePutOptions options, Stream archive, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        using var root = await FilesOfAsync(container, write: true, cancel);
        var (fd, target) = Resolve(root, name, path, follow: true);
        var place = new FileInfo($"/proc/self/fd/{fd}").LinkTarget!;
        Sys.Close(fd);
        if (!target.IsDirectory)
        {
            throw EngineException.Invalid("extraction point is not a directory");
        }

        RequireWritable(container.Record, place.StartsWith(root.Path + "/", StringComparison.Ordinal) ? place[root.Path.Length..] : place);
        await TarTree.ExtractAsync(archive, root.Path, path, new ExtractOptions
        {
            NoOverwriteDirNonDir = options.NoOverwriteDirNonDir,
            Owner = options.CopyUidGid && container.Record.Config.User.Length > 0 ? OwnerOf(container.Record) : null,
        }, cancel);
        Publish(container, "extract-to-dir");
    }

    /// <summary>With <c>copyUIDGID</c> what comes is the container's user's, when it has one.</summary>
    private (uint, uint) OwnerOf(ContainerRecord record)
    {
        var user = UserLookup.Resolve(record.Config.User, null, ContainerFiles.OfOverlay(Overlay(record)));
        return (user.Uid, user.Gid);
    }

    private static void RequireWritable(ContainerRecord record, string path)
    {
        var mount = record.Mounts.Where(m => path == m.Destination || path.StartsWith(m.Destination.TrimEnd('/') + "/", StringComparison.Ordinal))
            .MaxBy(m => m.Destination.Length);
        if (mount?.ReadOnly ?? record.HostConfig.ReadonlyRootfs)
        {
            throw EngineException.Invalid(mount is null ? "container rootfs is marked read-only" : "mounted volume is marked read-only");
        }
    }

    /// <summary>
    /// A container's files as its processes see them. Those of one that does not run are mounted for the purpose, with what it has mounted; it is
    /// not started meanwhile, as two mounts may not write to one directory.
    /// </summary>
    private async Task<MergedRoot> FilesOfAsync(Container container, bool write, CancellationToken cancel)
    {
        var record = container.Record;
        if (record is { IsRunning: true, Pid: > 0 })
        {
            return MergedRoot.OfProcess(record.Pid);
        }

        if (!write && record.Mounts.Count == 0)
        {
            return MergedRoot.View(Overlay(record), MountDirectory);
        }

        await container.Gate.WaitAsync(cancel);
        try
        {
            if (record is { IsRunning: true, Pid: > 0 })
            {
                container.Gate.Release();
                return MergedRoot.OfProcess(record.Pid);
            }

            var overlay = Overlay(record);
            await FillVolumesAsync(container, overlay, cancel);
            _containers.Save(container);
            return MergedRoot.Stopped(overlay, record.Mounts, MountDirectory, () => container.Gate.Release());
        }
        catch
        {
            container.Gate.Release();
            throw;
        }
    }

    private static (int Fd, FileStat Stat) Resolve(MergedRoot root, string container, string path, bool follow)
    {
        var top = Sys.Open(root.Path, Sys.O_RDONLY | Sys.O_DIRECTORY);
        var errno = Sys.TryOpenAt2(top, Bytes.FromText("/" + path), Raw.O_PATH | (follow ? 0 : Sys.O_NOFOLLOW), 0, Sys.RESOLVE_IN_ROOT, out var fd);
        Sys.Close(top);
        return errno == 0
            ? (fd, Sys.Stat(fd))
            : throw (errno is Errno.ENOENT or Errno.ENOTDIR
                ? EngineException.NotFound($"Could not find the file {path} in container {container}")
                : new SyscallException("openat2", $"'{path}' in container {container}", errno));
    }

    private static ContainerPathStat StatOf(MergedRoot root, string container, string path)
    {
        var (fd, stat) = Resolve(root, container, path, follow: false);
        try
        {
            var clean = MountParser.CleanPath("/" + path);
            var link = stat.IsSymlink ? Bytes.ToText(Sys.ReadlinkAt(fd, [])) : "";
            return new ContainerPathStat
            {
                Name = clean == "/" ? "/" : Path.GetFileName(clean),
                Size = stat.Size,
                Mode = GoMode(stat),
                Mtime = GoTime.Format(DateTimeOffset.FromUnixTimeSeconds(stat.Modified.Seconds).AddTicks(stat.Modified.Nanoseconds / 100)),
                LinkTarget = link.Length == 0 ? "" : MountParser.CleanPath(link.StartsWith('/') ? link : $"{Path.GetDirectoryName(clean)}/{link}"),
            };
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    /// <summary>Type and permissions as Go's io/fs.FileMode has them, which is what the API carries.</summary>
    private static uint GoMode(FileStat stat) => (stat.Permissions & 0x1FF)
        | ((stat.Permissions & 0x800) != 0 ? 1u << 23 : 0) | ((stat.Permissions & 0x400) != 0 ? 1u << 22 : 0) | ((stat.Permissions & 0x200) != 0 ? 1u << 20 : 0)
        | stat.Type switch
        {
            FileStat.S_IFDIR => 1u << 31,
            FileStat.S_IFLNK => 1u << 27,
            FileStat.S_IFBLK => 1u << 26,
            FileStat.S_IFCHR => 1u << 26 | 1u << 21,
            FileStat.S_IFIFO => 1u << 25,
            FileStat.S_IFSOCK => 1u << 24,
            _ => 0,
        };
}
