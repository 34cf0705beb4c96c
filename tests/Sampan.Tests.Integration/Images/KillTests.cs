using System.Diagnostics;
using System.Globalization;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>
/// The store survives a daemon that is killed at any moment: images are whole or absent, what was acknowledged is there, nothing is left over.
/// SAMPAN_TEST_KILLS says how often it is killed (200 for the whole of it), SAMPAN_TEST_SEED which moments are chosen.
/// </summary>
public sealed class KillTests
{
    private const string Registry = "127.0.0.1:5057";

    private static readonly int s_kills = int.Parse(Environment.GetEnvironmentVariable("SAMPAN_TEST_KILLS") ?? "24", CultureInfo.InvariantCulture);
    private static readonly int s_seed = int.Parse(Environment.GetEnvironmentVariable("SAMPAN_TEST_SEED") ?? "4", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Killed_at_random_moments_the_store_has_every_image_whole_or_not_at_all()
    {
        Assert.SkipWhen(Subject.IsReference, "the checks look into Sampan's store");
        using var machine = new Machine();
        await using Daemon source = await Daemon.StartOnAsync(machine, "s");
        await using Daemon daemon = await Daemon.StartOnAsync(machine, "d");
        await PrepareAsync(source, daemon);
        await using Running registry = source.Sampan.Begin($"registry serve --addr {Registry}");
        await registry.WaitForOutputAsync("registry listens on");

        var random = new Random(s_seed);
        var certain = new Dictionary<string, string>(StringComparer.Ordinal) { ["base:latest"] = await IdOf(daemon, "base:latest") };
        var durations = new Dictionary<string, double>(StringComparer.Ordinal);
        for (int round = 0; round < s_kills; round++)
        {
            (string name, string words, string[] touched) = Choose(round, random);
            // Without its image a command would end at once.
            if (name == "rmi")
                await LoadAsync(daemon, certain);
            // The container keeps its image.
            foreach (string tag in name == "prune" ? certain.Keys.Where(t => t != "base:latest").ToArray() : touched)
                certain.Remove(tag);

            var watch = Stopwatch.StartNew();
            await using Running command = daemon.Docker.Begin(words);
            double until = random.NextDouble() * durations.GetValueOrDefault(name, 300) * 1.2;
            while (!command.HasExited && watch.Elapsed.TotalMilliseconds < until)
                await Task.Delay(1);
            bool isDone = command.HasExited;
            await daemon.KillAsync();
            CommandResult result = await command.ResultAsync();
            if (isDone)
                durations[name] = watch.Elapsed.TotalMilliseconds;
            await daemon.LaunchAsync();

            string what = $"round {round}, seed {s_seed}: {words}, killed after {watch.ElapsedMilliseconds} ms, {result}";
            await CheckAsync(daemon, certain, what);
            if (isDone && result.ExitCode == 0 && name != "rmi")
            {
                foreach (string tag in touched)
                    certain[tag] = await IdOf(daemon, tag, what);
            }
        }

        // In the end everything goes, and nothing stays that nobody would ever remove.
        (await daemon.Docker.Run("rm -f worker")).Succeeds();
        (await daemon.Docker.Run("system prune -a -f --volumes")).Succeeds();
        (await daemon.Sampan.Run("builder prune -a -f")).Succeeds();
        (await daemon.Docker.Run("images -aq")).Succeeds().Prints("");
        foreach (string folder in (string[])["layers", "content/blobs/sha256", "containers", "tmp"])
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(daemon.DataRoot, folder)));
    }

    private static (string Name, string Words, string[] Touched) Choose(int round, Random random) => random.Next(7) switch
    {
        0 => ("pull", $"pull {Registry}/shipped:1", [$"{Registry}/shipped:1"]),
        1 => ("load", $"load -i {Archive}", ["loaded:1", "loaded:2"]),
        2 => ("build", $"build -q -t built:{round % 3} --build-arg N={round} {Context}", [$"built:{round % 3}"]),
        3 => ("commit", $"commit worker committed:{round % 3}", [$"committed:{round % 3}"]),
        4 => ("rmi", "rmi -f loaded:1 loaded:2", ["loaded:1", "loaded:2"]),
        5 => ("prune", "image prune -a -f", []),
        _ => ("builder prune", "builder prune -a -f", []),
    };

    private static string Archive { get; set; } = "";

    private static string Context { get; set; } = "";

    private static async Task PrepareAsync(Daemon source, Daemon daemon)
    {
        Archive = Path.Combine(daemon.Machine.Folder, "archive.tar");
        Context = Path.Combine(daemon.Machine.Folder, "context");
        Directory.CreateDirectory(Context);
        File.WriteAllText(Path.Combine(Context, "Dockerfile"), "FROM base\nARG N\nCOPY Dockerfile /d\nRUN echo $N > /n && head -c 3000000 /dev/zero > /z\nRUN echo two > /two\n");
        (await source.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "base:latest"])).Succeeds();
        foreach (string tag in (string[])["shipped:1", "loaded:1", "loaded:2"])
        {
            (await source.Docker.Run(["build", "-q", "-t", tag, "-"],
                System.Text.Encoding.UTF8.GetBytes($"FROM base\nRUN echo {tag} > /tag; for i in 1 2 3 4; do head -c 2000000 /dev/urandom > /f$i; done\nRUN rm /f1\n"))).Succeeds();
        }
        (await source.Docker.Run($"save -o {Archive} loaded:1 loaded:2")).Succeeds();
        (await daemon.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "base:latest"])).Succeeds();
        (await daemon.Docker.Run("run --name worker base sh -c 'head -c 5000000 /dev/urandom > /w; rm /bin/vi; mkdir /k; touch /k/x'")).Succeeds();
    }

    private static async Task LoadAsync(Daemon daemon, Dictionary<string, string> certain)
    {
        (await daemon.Docker.Run($"load -i {Archive}")).Succeeds();
        foreach (string tag in (string[])["loaded:1", "loaded:2"])
            certain[tag] = await IdOf(daemon, tag);
    }

    private static async Task<string> IdOf(Daemon daemon, string image, string what = "")
    {
        CommandResult inspected = await daemon.Docker.Run($"image inspect --format {{{{.Id}}}} {image}");
        Assert.True(inspected.ExitCode == 0, $"{what}: {inspected}");
        return inspected.Output;
    }

    /// <summary>What was acknowledged is there, all of it is whole, and soon nothing is left over.</summary>
    private static async Task CheckAsync(Daemon daemon, Dictionary<string, string> certain, string what)
    {
        foreach ((string tag, string id) in certain)
            Assert.True(await IdOf(daemon, tag, what) == id, $"{tag} is another image after {what}");
        CommandResult check = await daemon.Sampan.Run("image fsck --format json");
        await Eventually.IsTrue(async () => (check = await daemon.Sampan.Run("image fsck --format json")).ExitCode == 0, 10, () => $"{what}: {check}");
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(daemon.DataRoot, "tmp")));
        Assert.Single(Directory.EnumerateDirectories(Path.Combine(daemon.DataRoot, "containers")));
        int blobs = Directory.GetFiles(Path.Combine(daemon.DataRoot, "content", "blobs", "sha256")).Length;
        Assert.Equal((await daemon.Docker.Run("images -aq --no-trunc")).Succeeds().Lines.Distinct().Count(), blobs);
    }
}
