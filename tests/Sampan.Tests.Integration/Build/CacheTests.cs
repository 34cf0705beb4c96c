using System.Text.Json.Nodes;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>The build cache between two daemons, and the room that it takes.</summary>
public sealed class CacheTests
{
    private const string Dockerfile = """
        FROM busybox AS tools
        RUN cat /proc/sys/kernel/random/uuid >/tool
        FROM busybox
        COPY file /
        RUN cat /proc/sys/kernel/random/uuid >/made
        COPY --from=tools /tool /
        CMD cat /made /tool
        """;

    private static string Context(Daemon daemon)
    {
        string folder = Path.Combine(daemon.Machine.Folder, "context");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), Dockerfile);
        File.WriteAllText(Path.Combine(folder, "file"), "content");
        return folder;
    }

    private static async Task<Daemon> Start(Machine machine, string name, string? options = null)
    {
        // All of a machine have the very same base: its date, too, is part of what is built on it.
        Daemon daemon = await Daemon.StartOnAsync(machine, name, options);
        string archive = Path.Combine(machine.Folder, "base.tar");
        if (File.Exists(archive))
        {
            (await daemon.Docker.Run($"load -i {archive}")).Succeeds();
            return daemon;
        }
        (await daemon.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
        (await daemon.Docker.Run($"save -o {archive} busybox")).Succeeds();
        return daemon;
    }

    [Theory]
    [InlineData("local")]
    [InlineData("registry")]
    public async Task A_directory_or_a_registry_carries_the_cache_of_all_stages_to_another_daemon(string type)
    {
        Assert.SkipWhen(Subject.IsReference, "the classic builder has no caches of other builds");
        using var machine = new Machine();
        await using Daemon one = await Start(machine, "one");
        await using Daemon two = await Start(machine, "two");
        await using Registry? registry = type == "registry" ? await Registry.StartAsync(machine) : null;
        string context = Context(one), cache = Path.Combine(machine.Folder, "cache"), image = $"{registry?.Address}/it:cache";
        string options = registry is null ? $"--cache-from type=local,src={cache} --cache-to type=local,dest={cache},mode=max"
            : $"--cache-from type=registry,ref={image} --cache-to type=registry,ref={image},mode=max";
        (await one.Sampan.Run($"build -t it {options} {context}")).Succeeds();
        Assert.Equal(registry is null, File.Exists(Path.Combine(cache, "oci-layout")));
        (await two.Sampan.Run($"build -t it {options} {context}")).Succeeds();
        string[] made = (await one.Docker.Run("run --rm it")).Succeeds().Lines;
        Assert.Equal(2, made.Length);
        Assert.Equal(made, (await two.Docker.Run("run --rm it")).Succeeds().Lines);
        foreach (Daemon daemon in (Daemon[])[one, two])
            Assert.Equal(["busybox", "it"], (await daemon.Docker.Run("images -a --format {{.Repository}}")).Succeeds().Lines.Order());
    }

    [Theory]
    [InlineData("--cache-to type=inline", "sampan")]
    [InlineData("", "docker")]
    public async Task An_image_spares_the_commands_that_made_it(string options, string commandLine)
    {
        Assert.SkipWhen(Subject.IsReference, "layers of the classic builder are another each time");
        using var machine = new Machine();
        await using Daemon one = await Start(machine, "one");
        await using Daemon two = await Start(machine, "two");
        string context = Context(one), archive = Path.Combine(machine.Folder, "image.tar");
        (await one.Sampan.Run($"build -t it {options} {context}")).Succeeds();
        (await one.Docker.Run($"save -o {archive} it")).Succeeds();
        (await two.Docker.Run($"load -i {archive}")).Succeeds();
        Cli cli = commandLine == "docker" ? two.Docker : two.Sampan;
        (await cli.Run($"build --cache-from it --cache-from no-such-image -t again {context}")).Succeeds();
        Assert.Equal((await one.Docker.Run("run --rm it cat /made")).Succeeds().Lines, (await two.Docker.Run("run --rm again cat /made")).Succeeds().Lines);
    }

    [Fact]
    public async Task Rules_of_the_daemon_keep_the_cache_small()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd collects the cache of BuildKit alone");
        using var machine = new Machine();
        string file = Path.Combine(machine.Folder, "daemon.json");
        File.WriteAllText(file, """{"builder": {"gc": {"policy": [{"all": true}]}}}""");
        await using Daemon daemon = await Start(machine, "d", $"--config-file {file}");
        (await daemon.Docker.Run($"build -t it {Context(daemon)}")).Succeeds();
        await Eventually.IsTrue(async () => (await Cache(daemon)).Count == 0, 20, () => "the cache is not collected after the build");
        (await daemon.Docker.Run("run --rm it true")).Succeeds();
    }

    [Fact]
    public async Task Cache_mounts_are_counted_and_removed()
    {
        Assert.SkipWhen(Subject.IsReference, "the classic builder has no mounts");
        await using Daemon daemon = await Daemon.StartAsync();
        string context = Path.Combine(daemon.Machine.Folder, "context");
        Directory.CreateDirectory(context);
        File.WriteAllText(Path.Combine(context, "Dockerfile"), "FROM busybox\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/file bs=1000 count=5\n");
        (await daemon.Sampan.Run($"build -t it {context}")).Succeeds();
        JsonNode mount = Assert.Single(await Cache(daemon), entry => (string?)entry!["Type"] == "exec.cachemount")!;
        Assert.Equal(5000, (long)mount["Size"]!);
        (await daemon.Sampan.Run("builder prune -f --filter type=exec.cachemount --filter until=24h")).Succeeds();
        Assert.Single(await Cache(daemon), entry => (string?)entry!["Type"] == "exec.cachemount");
        (await daemon.Sampan.Run("builder prune -f --filter type=exec.cachemount")).Succeeds().Shows("5kB");
        Assert.DoesNotContain(await Cache(daemon), entry => (string?)entry!["Type"] == "exec.cachemount");
        Assert.NotEmpty(await Cache(daemon));
    }

    [Fact]
    public async Task A_chain_of_more_layers_than_overlayfs_takes_is_built_and_run()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd takes 125 layers");
        await using Daemon daemon = await Daemon.StartAsync();
        string context = Path.Combine(daemon.Machine.Folder, "context");
        Directory.CreateDirectory(context);
        File.WriteAllText(Path.Combine(context, "f"), "content");
        File.WriteAllText(Path.Combine(context, "Dockerfile"), "FROM busybox\n"
            + string.Concat(Enumerable.Range(0, 510).Select(i => $"COPY f /d/f{i}\n")) + "RUN rm /d/f0 /d/f509 && ls /d | wc -l >/count\n");
        (await daemon.Sampan.Run($"build -q -t deep {context}")).Succeeds();
        (await daemon.Docker.Run("run --rm deep cat /count /d/f1")).Succeeds().Prints("508\ncontent");
        (await daemon.Docker.Run("create --name deep deep")).Succeeds();
        (await daemon.Docker.Run($"cp deep:/count {context}/count")).Succeeds();
        Assert.Equal("508\n", File.ReadAllText(Path.Combine(context, "count")));
        (await daemon.Docker.Run("rm deep")).Succeeds();
    }

    private static async Task<JsonArray> Cache(Daemon daemon)
    {
        using var api = new RawApi(daemon.Socket);
        return (JsonArray?)(await api.GetAsync("/v1.43/system/df")).Is(200).Json["BuildCache"] ?? [];
    }
}
