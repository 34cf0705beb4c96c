using Sampan.Daemon;
using Sampan.Daemon.Options;
using Xunit;

namespace Sampan.Tests.Unit.Daemon;

public sealed class SettingsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("sampan-settings-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private DaemonConfig Of(string args, string? file = null)
    {
        var path = Path.Combine(_directory, "daemon.json");
        if (file is not null)
        {
            File.WriteAllText(path, file);
        }

        string[] all = [.. args.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. file is null ? Array.Empty<string>() : ["--config-file", path]];
        return DaemonConfig.From(Settings.Parse(all));
    }

    [Fact]
    public void Flags_are_read_as_dockerd_reads_them()
    {
        var config = Of("-DH unix:///a.sock -Htcp://127.0.0.1:1 --host=fd:// --data-root /d/ --exec-root=/e -p /p --bip 10.0.0.1/24 --mtu 1400 --icc=false --default-address-pool base=10.0.0.0/8,size=24 --log-opt max-size=1m --default-shm-size 128M");
        Assert.Equal(["unix:///a.sock", "tcp://127.0.0.1:1", "fd://"], config.Hosts);
        Assert.True(config.Engine.Debug);
        Assert.False(config.Engine.Icc);
        Assert.Equal(("/d", "/e", "/p", "10.0.0.1/24", 1400), (config.Engine.DataRoot, config.Engine.ExecRoot, config.PidFile, config.Engine.Bip, config.Engine.Mtu));
        Assert.Equal(("10.0.0.0/8", 24), (config.Engine.DefaultAddressPools[0].Base, config.Engine.DefaultAddressPools[0].Size));
        Assert.Equal(("1m", 128L << 20), (config.Engine.LogOpts["max-size"], config.Engine.DefaultShmSize));
    }

    [Fact]
    public void Everything_has_a_default()
    {
        var config = Of("", "{}");
        Assert.Equal(["unix:///run/sampan/sampan.sock"], config.Hosts);
        Assert.Equal(("/var/lib/sampan", "/run/sampan/sampan.pid"), (config.Engine.DataRoot, config.PidFile));
        Assert.Equal(["unix:///x/sampan.sock"], Of("--exec-root /x", "{}").Hosts);
    }

    [Fact]
    public void The_file_has_the_same_names()
    {
        var config = Of("", """{"hosts":["unix:///a"],"debug":true,"data-root":"/d","default-address-pools":[{"base":"10.0.0.0/8","size":24}],"log-opts":{"max-size":"1m"},"labels":["a=b"],"mtu":1400,"features":{"x":true}}""");
        Assert.Equal(["unix:///a"], config.Hosts);
        Assert.Equal((true, "/d", 24, "1m", 1400), (config.Engine.Debug, config.Engine.DataRoot, config.Engine.DefaultAddressPools[0].Size, config.Engine.LogOpts["max-size"], config.Engine.Mtu));
    }

    [Fact]
    public void Rules_for_the_build_cache_are_those_of_dockerd()
    {
        var gc = Of("", """{"builder":{"gc":{"enabled":true,"defaultKeepStorage":"2GB","policy":[{"keepStorage":"10MB","filter":["unused-for=48h","type=regular"]},{"maxUsedSpace":5,"minFreeSpace":"1k","all":true}]}}}""").Engine.BuildGc;
        Assert.Equal((true, 2L << 30), (gc.Enabled, gc.DefaultReservedSpace));
        Assert.Equal([(10L << 20, 0L, 0L, false), (0, 5, 1024, true)], gc.Policy.Select(rule => (rule.ReservedSpace, rule.MaxUsedSpace, rule.MinFreeSpace, rule.All)));
        Assert.Equal("unused-for=48h type=regular", string.Join(' ', gc.Policy[0].Filters.Select(filter => $"{filter.Key}={filter.Value.Single()}")));
        Assert.False(Of("", """{"builder":{"gc":{"enabled":false}}}""").Engine.BuildGc.Enabled);
        Assert.True(Of("", "{}").Engine.BuildGc.Enabled);
    }

    [Theory]
    [InlineData("", "{\"builder\":{\"gc\":{\"enabled\":1}}}", "unable to configure the daemon with file FILE: 'enabled' must not be 1")]
    [InlineData("", "{\"builder\":{\"gc\":{\"keep\":1}}}", "unable to configure the daemon with file FILE: 'builder.gc' has no key 'keep'")]
    [InlineData("", "{\"builder\":{\"gc\":{\"policy\":[{\"filter\":[\"x\"]}]}}}", "unable to configure the daemon with file FILE: 'filter' must not be [\"x\"]")]
    [InlineData("--nope", null, "unknown flag: --nope")]
    [InlineData("-Z", null, "unknown shorthand flag: 'Z' in -Z")]
    [InlineData("--host", null, "flag needs an argument: --host")]
    [InlineData("extra", null, "\"sampan daemon\" accepts no arguments, got \"extra\"")]
    [InlineData("--mtu many", null, "invalid argument \"many\" for \"--mtu\" flag: not a number")]
    [InlineData("--bip 10.0.0.1", null, "invalid value '10.0.0.1' for --bip: want ADDRESS/LENGTH, as 172.17.0.1/16")]
    [InlineData("--storage-driver vfs", null, "storage driver 'vfs' is not supported: want overlay2")]
    [InlineData("--data-root /", null, "--data-root must not be '/'")]
    [InlineData("--debug", "{\"debug\":false}", "unable to configure the daemon with file FILE: the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: false)")]
    [InlineData("-H unix:///a", "{\"hosts\":[\"fd://\"]}", "unable to configure the daemon with file FILE: the following directives are specified both as a flag and in the configuration file: hosts: (from flag: [unix:///a], from file: [\"fd://\"])")]
    [InlineData("", "{\"frob\":1,\"nope\":2}", "unable to configure the daemon with file FILE: the following directives don't match any configuration option: frob, nope")]
    [InlineData("", "{\"debug\":\"yes\"}", "unable to configure the daemon with file FILE: 'debug' must not be \"yes\"")]
    public void Mistakes_are_told(string args, string? file, string message) =>
        Assert.Equal(message, Assert.Throws<SettingsException>(() => Of(args, file)).Message.Replace(Path.Combine(_directory, "daemon.json"), "FILE"));

    [Fact]
    public async Task A_daemon_serves_and_refuses_a_second_one()
    {
        var socket = Path.Combine(_directory, "d.sock");
        string[] args = ["--exec-root", _directory, "--data-root", _directory, "-H", $"unix://{socket}", "--config-file", "/dev/null"];
        var (first, second) = (new StringWriter(), new StringWriter());
        File.WriteAllText(socket, ""); // left over from a daemon that died
        using var stop = new CancellationTokenSource();
        var running = DaemonProgram.RunAsync(args, (_, _) => Task.FromResult<Sampan.Api.IEngine>(new FakeEngine()), TextWriter.Null, first, stop.Token);
        while (!first.ToString().Contains("listens on", StringComparison.Ordinal) && !running.IsCompleted)
        {
            await Task.Delay(10);
        }

        Assert.False(running.IsCompleted, first.ToString());
        using (var client = new Sampan.Api.ApiClient(Sampan.Api.ApiEndpoint.Parse($"unix://{socket}")))
        {
            Assert.Equal("1.55", await client.PingAsync(default));
        }

        if (OperatingSystem.IsLinux())
        {
            Assert.Equal("UserRead, UserWrite, GroupRead, GroupWrite", string.Join(", ", File.GetUnixFileMode(socket).ToString().Split(", ").Reverse()));
        }

        string[] other = [.. args, "--pidfile", Path.Combine(_directory, "other.pid")];
        Assert.Equal(1, await DaemonProgram.RunAsync(other, (_, _) => throw new InvalidOperationException("never"), TextWriter.Null, second, default));
        Assert.Equal($"failed to start daemon: cannot listen on 'unix://{socket}': another daemon answers there\n", second.ToString());
        await stop.CancelAsync();
        Assert.Equal(0, await running);
        Assert.False(File.Exists(socket));
    }

    [Fact]
    public async Task An_engine_that_fails_leaves_nothing_behind()
    {
        var error = new StringWriter();
        string[] args = ["--exec-root", Path.Combine(_directory, "run"), "--data-root", _directory, "--config-file", "/dev/null"];
        Assert.Equal(1, await DaemonProgram.RunAsync(args, (_, _) => throw new IOException("data root is in use"), TextWriter.Null, error, default));
        Assert.Equal("failed to start daemon: data root is in use\n", error.ToString());
        Assert.Empty(Directory.GetFiles(Path.Combine(_directory, "run")));
    }
}
