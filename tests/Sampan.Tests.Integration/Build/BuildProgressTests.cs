using System.Text.Json.Nodes;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>How a build is shown, and how it is stopped.</summary>
public sealed class BuildProgressTests(SharedDaemon shared) : SampanBuildTests(shared)
{
    [Fact]
    public async Task A_terminal_shows_a_line_a_step_and_elsewhere_there_is_text()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN echo loud\nRUN sleep 1\n"));
        await using (Terminal terminal = Cli.OnTerminal($"build --no-cache {folder}", columns: 60))
        {
            Assert.Equal(0, await terminal.ExitCodeAsync(60));
            Assert.Contains(" => [2/3] RUN echo loud", terminal.Screen, StringComparison.Ordinal);
            Assert.Contains("Built in ", terminal.Screen, StringComparison.Ordinal);
            Assert.DoesNotContain("Step 2/3", terminal.Screen, StringComparison.Ordinal);
        }
        (await Run($"build {folder}")).Succeeds().Shows("Step 2/3 : RUN echo loud").Shows("Successfully built");
    }

    [Fact]
    public async Task A_failure_on_a_terminal_shows_the_last_lines_and_the_place()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN echo why it failed && exit 7\n"));
        await using Terminal terminal = Cli.OnTerminal($"build {folder}", columns: 100);
        Assert.Equal(7, await terminal.ExitCodeAsync(60));
        foreach (string part in (string[])[" => ERROR [2/2]", "why it failed", ">>> RUN echo why", "returned a non-zero code: 7"])
            Assert.Contains(part, terminal.Screen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Raw_progress_is_a_json_object_a_line()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN echo in the log\n"));
        CommandResult built = (await Run($"build --no-cache --progress rawjson {folder}")).Succeeds().Prints("");
        List<JsonNode> lines = [.. built.Error.Split('\n').Select(line => JsonNode.Parse(line)!)];
        Assert.Contains(lines, line => (string?)line["vertexes"]?[0]?["name"] == "[2/2] RUN echo in the log" && line["vertexes"]![0]!["completed"] is not null);
        Assert.Contains(lines, line => line["logs"]?[0]?["data"] is { } data && Convert.FromBase64String((string)data!).AsSpan().SequenceEqual("in the log\n"u8));
        (await Run($"build --progress loud {folder}")).Fails().Complains("loud");
    }

    /// <summary>A build whose step waits for ever, and by what its process and its directory are known.</summary>
    private string Sleeper(out string mark)
    {
        mark = $"{Random.Shared.Next(100_000_000, int.MaxValue)}";
        return Folder(("Dockerfile", $"FROM busybox\nRUN touch /{mark} && echo begun && exec sleep {mark}\n"));
    }

    private static bool Runs(string mark) => Directory.EnumerateDirectories("/proc").Any(process => CommandLineOf(process) == $"sleep\0{mark}\0");

    private static string CommandLineOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // it is no process, or one that ended while we looked
        }
    }

    private async Task NothingIsLeft(string mark)
    {
        await Eventually.IsTrue(() => !Runs(mark), 20, () => "the step's process goes on");
        string tmp = Path.Combine(Daemon.DataRoot, "tmp");
        await Eventually.IsTrue(() => !Directory.EnumerateDirectories(tmp).Any(path => File.Exists(Path.Combine(path, "upper", mark))), 20, () => "directories are left");
    }

    [Theory]
    [InlineData("docker")]
    [InlineData("sampan")]
    public async Task A_client_that_goes_away_ends_its_build(string program)
    {
        string folder = Sleeper(out string mark);
        await using (Running build = (program == "docker" ? Daemon.Docker : Daemon.Sampan).Begin($"build --no-cache {folder}"))
        {
            await build.WaitForOutputAsync("begun");
            build.Kill();
        }
        await NothingIsLeft(mark);
        (await Run($"build --no-cache {Folder(("Dockerfile", "FROM busybox\nRUN true\n"))}")).Succeeds();
    }

    [Fact]
    public async Task A_build_is_cancelled_by_its_id()
    {
        string folder = Sleeper(out string mark), id = NewName();
        byte[] tar = new TarMaker().File("Dockerfile", File.ReadAllText(Path.Combine(folder, "Dockerfile"))).Finish();
        File.WriteAllBytes(Path.Combine(folder, "c.tar"), tar);
        Task<CommandResult> build = Daemon.Machine.ShellAsync($"curl -sS --unix-socket {Daemon.Socket} -X POST --data-binary @{folder}/c.tar -H 'Content-Type: application/x-tar' 'http://d/v1.43/build?buildid={id}&nocache=1'");
        await Eventually.IsTrue(() => Runs(mark), 30, () => "the step does not begin");
        using var api = new RawApi(Daemon.Socket);
        (await api.PostAsync($"/v1.43/build/cancel?id={id}")).Is(204);
        (await build).Succeeds().Shows("the build was cancelled");
        await NothingIsLeft(mark);
        (await api.PostAsync("/v1.43/build/cancel?id=unknown")).Is(204);
        (await api.PostAsync("/v1.43/build/cancel")).Is(400);
    }
}
