using Sampan.Runtime;

namespace Sampan.Engine;

public sealed partial class EngineService
{
    /// <summary>
    /// Takes away the directories of containers that nobody knows: steps of builds that died with the daemon, and containers whose record
    /// was lost to a power cut. Of one that still runs the processes go first.
    /// </summary>
    private async Task SweepAsync(CancellationToken cancel)
    {
        foreach (var id in Names(_options.DataRoot).Union(Names(_options.ExecRoot)).Where(id => _containers.Find(id) is null).ToList())
        {
            try
            {
                await SweepAsync(id, cancel);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // A leftover that resists (a process in uninterruptible sleep) must not keep the daemon from its work; the next start tries again.
                await Console.Error.WriteLineAsync($"leftover of container {id}: {e.Message}");
            }
        }

        static IEnumerable<string> Names(string root)
        {
            var containers = new DirectoryInfo(Path.Combine(root, "containers"));
            return containers.Exists ? containers.EnumerateDirectories().Select(d => d.Name).Where(n => n.Length == 64 && n.All(char.IsAsciiHexDigitLower)) : [];
        }
    }

    private async Task SweepAsync(string id, CancellationToken cancel)
    {
        var (data, run) = (DataDirectory(id), RunDirectory(id));
        if (Directory.Exists(run) && await MonitorClient.ConnectAsync(run, ExitPath(id), cancel) is { } monitor)
        {
            await DismissAsync(monitor);
        }

        Cgroup.Open(CgroupPath(id)).KillAll();
        Cgroup.Open(CgroupPath(id)).Remove();
        RemoveRunDirectory(id);
        Store.TreeRemover.Remove(data);
    }
}
