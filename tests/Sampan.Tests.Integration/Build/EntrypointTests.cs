using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>The reference's table of ENTRYPOINT and CMD: both forms of each or none, another SHELL, and the arguments of `run`.</summary>
public abstract class EntrypointTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private const string Base = """
        FROM busybox AS tools
        RUN printf '#!/bin/sh\nfor a; do printf "[%%s]" "$a"; done\n' >/show && chmod +x /show
        FROM scratch AS none
        COPY --from=tools /bin /bin
        COPY --from=tools /show /
        FROM none AS other
        SHELL ["/show", "-x"]

        """;

    private static readonly string[] s_forms = ["none", "exec", "shell"];

    [Theory]
    [InlineData("none", new[] { "/bin/sh", "-c" })]
    [InlineData("other", new[] { "/show", "-x" })]
    public async Task What_runs_is_the_entrypoint_and_after_it_the_arguments_or_the_command(string stage, string[] shell)
    {
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        foreach (string entrypoint in s_forms)
        {
            foreach (string cmd in s_forms)
            {
                string image = NewName();
                File.WriteAllText(Path.Combine(folder, "Dockerfile"), $"{Base}FROM {stage}\n{Line("ENTRYPOINT", entrypoint, "e")}{Line("CMD", cmd, "c")}");
                (await Run($"build -q -t {image} {folder}")).Succeeds();
                string[] first = Words(entrypoint, shell, "e");
                await Shows(image, "", [.. first, .. Words(cmd, shell, "c")]);
                await Shows(image, "/show r", [.. first, "/show", "r"]);
                (await Run($"run --rm --network none --entrypoint /show {image} a b")).Succeeds().Prints("[a][b]");
                (await Run($"run --rm --network none --entrypoint /show {image}")).Succeeds().Prints("");
                (await Run($"rmi {image}")).Succeeds();
            }
        }
    }

    private static string Line(string instruction, string form, string word) => form switch
    {
        "none" => "",
        "exec" => $"{instruction} [\"/show\", \"{word}\"]\n",
        _ => $"{instruction} /show {word}\n",
    };

    private static string[] Words(string form, string[] shell, string word) => form switch
    {
        "none" => [],
        "exec" => ["/show", word],
        _ => [.. shell, $"/show {word}"],
    };

    private async Task Shows(string image, string arguments, string[] words)
    {
        CommandResult ran = await Run($"run --rm --network none {image} {arguments}".TrimEnd());
        if (words.Length == 0)
        {
            ran.Fails().Complains("o command specified");
            return;
        }

        // What follows the text of a shell are its own arguments, which `/show e` does not look at.
        string[] shown = words[0] == "/show" ? words[1..] : words[2].Split(' ')[1..];
        ran.Succeeds().Prints(string.Concat(shown.Select(word => $"[{word}]")));
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class EntrypointWithDockerTests(SharedDaemon shared) : EntrypointTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class EntrypointWithSampanTests(SharedDaemon shared) : EntrypointTests(shared, CommandLine.Sampan);
