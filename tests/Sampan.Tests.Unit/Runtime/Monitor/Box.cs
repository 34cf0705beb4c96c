using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Sampan.Oci;
using Sampan.Runtime;
using Xunit;
using Process = Sampan.Oci.Process;

namespace Sampan.Tests.Unit.Runtime.Monitor;

/// <summary>A container of busybox for a test, under a monitor of the real binary. It cleans up after itself.</summary>
internal sealed class Box : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("sampan-box").FullName;

    private Box(string[] command, Action<MonitorConfig>? configure, Action<Spec>? change)
    {
        var id = Path.GetFileName(_directory);
        Config = new MonitorConfig
        {
            Id = id,
            RunDirectory = Path.Combine(_directory, "run"),
            ExitPath = Path.Combine(_directory, "exit.json"),
            CgroupPath = "/" + id,
            LogPath = Path.Combine(_directory, "log"),
        };
        configure?.Invoke(Config);
        Directory.CreateDirectory(Config.RunDirectory);
        foreach (var directory in (string[])["bin", "proc", "dev"])
        {
            Directory.CreateDirectory(Path.Combine(Config.RunDirectory, "rootfs", directory));
        }

        File.Copy(Busybox, Path.Combine(Config.RunDirectory, "rootfs/bin/busybox"));
        var spec = new Spec
        {
            Process = Program(command) with { Terminal = Config.Terminal },
            Mounts =
            [
                new Mount { Destination = "/proc", Type = "proc", Source = "proc" },
                new Mount { Destination = "/dev", Type = "tmpfs", Source = "tmpfs" },
                new Mount { Destination = "/dev/pts", Type = "devpts", Source = "devpts", Options = ["newinstance", "ptmxmode=0666", "mode=0620"] },
            ],
            Linux = new LinuxSpec
            {
                Namespaces = [new("pid"), new("mount"), new("ipc"), new("uts"), new("network")],
                Devices =
                [
                    new Device { Path = "/dev/null", Type = "c", Major = 1, Minor = 3, FileMode = 0x1B6 },
                    new Device { Path = "/dev/zero", Type = "c", Major = 1, Minor = 5, FileMode = 0x1B6 },
                ],
            },
        };
        change?.Invoke(spec);
        File.WriteAllBytes(Path.Combine(Config.RunDirectory, "config.json"), JsonSerializer.SerializeToUtf8Bytes(spec, RuntimeJson.Default.Spec));
    }

    private const string Busybox = "/bin/busybox";

    public MonitorConfig Config { get; }

    public string Log => File.ReadAllText(Config.LogPath!);

    public bool HasCgroup => Cgroup.Open(Config.CgroupPath).Directories.Any(Directory.Exists);

    /// <summary>The built binary, or the test is skipped: a monitor forks, which only the Native AOT build may.</summary>
    public static string Sampan
    {
        get
        {
            var directory = AppContext.BaseDirectory;
            while (directory is not null && !File.Exists(Path.Combine(directory, "Sampan.slnx")))
            {
                directory = Path.GetDirectoryName(directory);
            }

            var binary = Environment.GetEnvironmentVariable("SAMPAN_TEST_BINARY") ?? Path.Combine(directory ?? "/", "out/sampan");
            Assert.SkipUnless(File.Exists(binary) && File.Exists(Busybox), "no binary");
            return binary;
        }
    }

    public static Box Of(string[] command, Action<MonitorConfig>? configure = null, Action<Spec>? change = null)
    {
        _ = Sampan;
        return new Box(command, configure, change);
    }

    public static Box Shell(string script, Action<MonitorConfig>? configure = null, Action<Spec>? change = null) => Of(["/bin/busybox", "sh", "-c", script], configure, change);

    public static Process Program(params string[] command) => new() { Args = [.. command], Env = ["PATH=/bin", "HOME=/"] };

    public static Process Script(string script) => Program("/bin/busybox", "sh", "-c", script);

    public Task<MonitorClient> LaunchAsync() => MonitorClient.LaunchAsync(Config, Sampan, TestContext.Current.CancellationToken);

    /// <summary>A container that runs, and its streams from the first byte on.</summary>
    public async Task<(MonitorClient Client, MonitorStream Stream)> RunAsync(bool stdin = false)
    {
        var client = await LaunchAsync();
        var stream = await client.AttachAsync(stdin, true, true, TestContext.Current.CancellationToken);
        await client.StartAsync(TestContext.Current.CancellationToken);
        return (client, stream);
    }

    public static async Task<string> ReadAsync(MonitorStream stream)
    {
        var output = new MemoryStream();
        await stream.CopyToAsync(output, frames: false, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    /// <summary>The pid of the monitor: the parent of the container's PID 1.</summary>
    public static int MonitorOf(MonitorClient client) =>
        int.Parse(File.ReadLines($"/proc/{client.State.Pid}/status").First(l => l.StartsWith("PPid:", StringComparison.Ordinal))[5..]);

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        for (var clock = Stopwatch.StartNew(); !condition(); await Task.Delay(10))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"within 10 s: {what}");
        }
    }

    public void Dispose()
    {
        var cgroup = Cgroup.Open(Config.CgroupPath);
        cgroup.KillAll();
        cgroup.Remove();
        Directory.Delete(_directory, recursive: true);
    }
}
