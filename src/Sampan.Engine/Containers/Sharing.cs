using Microsoft.Win32.SafeHandles;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Linux;

namespace Sampan.Engine;

/// <summary>What a container shares with another: its pid or ipc namespace, /dev/shm, volumes.</summary>
public sealed partial class EngineService
{
    private const string Shareable = "shareable";

    /// <summary>What a container that starts finds on this machine. What is mounted for it is in its run directory, and goes with that.</summary>
    /// <param name="network">Its sandbox, open until the container is made; null where it has none of its own.</param>
    /// <exception cref="EngineException">A container whose namespace is to be shared does not run, or does not share it.</exception>
    private Surroundings SurroundingsOf(ContainerRecord record, SafeFileHandle? network)
    {
        var host = record.HostConfig;
        return new Surroundings(NetworkFilesOf(record), _usualSeccomp)
        {
            NetworkNamespace = NetworkNamespaceOf(record, network),
            PidNamespace = OtherContainer(host.PidMode) is { } pid ? NamespaceOf(Running(pid), "pid") : null,
            IpcNamespace = OtherContainer(host.IpcMode) is { } ipc ? NamespaceOf(Running(ipc), "ipc") : null,
            SharedMemory = host.IpcMode == Shareable ? MountSharedMemory(record) : SharedMemoryOf(host),
            Links = [.. LinkVariables(record)],
        };
    }

    /// <summary>The container of a mode <c>container:NAME</c>; null for another mode.</summary>
    internal static string? OtherContainer(string mode) => mode.StartsWith(ContainerMode, StringComparison.Ordinal) ? mode[ContainerMode.Length..] : null;

    private static string NamespaceOf(ContainerRecord record, string kind) => $"/proc/{record.Pid}/ns/{kind}";

    private ContainerRecord Running(string name)
    {
        var container = _containers.TryGet(name) ?? throw EngineException.Invalid($"No such container: {name}");
        RequireRunning(container, "");
        return container.Record;
    }

    /// <summary>The /dev/shm that comes with a shared ipc namespace; null for one of the container's own. Errors are dockerd's.</summary>
    private string? SharedMemoryOf(HostConfig host)
    {
        if (OtherContainer(host.IpcMode) is not { } name)
        {
            return host.IpcMode == "host" ? "/dev/shm" : null;
        }

        var donor = Running(name);
        return donor.HostConfig.IpcMode == Shareable ? SharedMemoryPath(donor.Id) : SharedMemoryOf(donor.HostConfig)
            ?? throw EngineException.Invalid($"container {name}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
    }

    /// <summary>Mounted outside of the container, so that those that come later find it.</summary>
    private string MountSharedMemory(ContainerRecord record)
    {
        var path = SharedMemoryPath(record.Id);
        Directory.CreateDirectory(path);
        var result = Raw.Mount(
            CString.Of("shm"), CString.Of(path), CString.Of("tmpfs"), Raw.MS_NOSUID | Raw.MS_NODEV | Raw.MS_NOEXEC,
            CString.Of($"mode=1777,size={SpecBuilder.SharedMemoryBytes(record.HostConfig)}"));
        return result >= 0 ? path : throw new SyscallException("mount", $"tmpfs to '{path}'", -result);
    }

    private string SharedMemoryPath(string id) => Path.Combine(RunDirectory(id), "shm");

    /// <summary>Nothing happens where there is none. A step of a build may have written into it, trees of any depth.</summary>
    private void RemoveRunDirectory(string id)
    {
        if (Directory.Exists(SharedMemoryPath(id)))
        {
            MergedRoot.Unmount(SharedMemoryPath(id));
        }

        Store.TreeRemover.Remove(RunDirectory(id));
    }

    /// <summary>The binds and volumes of other containers (<c>--volumes-from NAME[:ro]</c>); of those for one place the last.</summary>
    private IEnumerable<ContainerMount> MountsOfOthers(IEnumerable<string> others)
    {
        var mounts = new Dictionary<string, ContainerMount>();
        foreach (var text in others)
        {
            var (name, mode) = text.Split(':', 2) is [var first, var second] ? (first, second) : (text, "rw");
            if (name.Length == 0)
            {
                throw EngineException.Invalid($"invalid volumes-from specification: {text}");
            }

            var words = mode.Split(',');
            if (words.Any(word => word is not ("ro" or "rw" or "z" or "Z")))
            {
                throw EngineException.Invalid($"invalid mode for volumes-from: {mode}");
            }

            var donor = _containers.TryGet(name) ?? throw EngineException.Invalid($"No such container: {name}");
            foreach (var mount in donor.Record.Mounts.Where(m => m.Type != "tmpfs"))
            {
                mounts[mount.Destination] = mount with { ReadOnly = mount.ReadOnly || words.Contains("ro"), FillFromImage = false };
            }
        }

        return mounts.Values;
    }
}
