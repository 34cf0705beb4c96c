using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>What a daemon takes of memory does not follow the size of what goes through it.</summary>
public sealed class MemoryTests
{
    /// <summary>Half of it is used; what follows the archive, or the processor's cache, is more. KiB.</summary>
    private const long LimitKib = 100 * 1024;

    [Fact]
    public async Task A_daemon_stays_small_while_it_imports_saves_and_loads()
    {
        Assert.SkipWhen(Subject.IsReference, "the limit is Sampan's");
        using var machine = new Machine();
        await using Daemon first = await Daemon.StartOnAsync(machine, "a"), second = await Daemon.StartOnAsync(machine, "b");
        (await machine.ShellAsync($"""
            set -e; cd {machine.Folder}
            for i in 1 2 3; do yes $i | head -c 150000000 >big$i; done
            tar -cf - big1 big2 big3 | {Subject.Sampan} -H {first.Host} import - big:1
            {Subject.Sampan} -H {first.Host} save big:1 | {Subject.Sampan} -H {second.Host} load
            """)).Succeeds().Shows("Loaded image: big:1");
        foreach (Daemon daemon in new[] { first, second })
        {
            string peak = File.ReadLines($"/proc/{daemon.Pid}/status").Single(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            Assert.InRange(long.Parse(peak.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1]), 1, LimitKib);
        }
    }
}
