using System.Diagnostics;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>Help pages have Docker's layout; where docker 28 is installed, every flag of its commands is compared with ours.</summary>
public sealed class HelpPageTests
{
    private const string DockerPath = "/usr/bin/docker";

    // Flags that only another server could serve: swarm's volumes, plugins. They are left out on purpose.
    private static readonly HashSet<string> LeftOut =
    [
        "availability", "group", "limit-bytes", "required-bytes", "scope", "secret", "sharing", "topology-preferred", "topology-required", "type",
    ];

    public static TheoryData<string> Commands()
    {
        var data = new TheoryData<string>();
        Collect(CommandTree.Root, "", data);
        return data;
    }

    [Fact]
    public void A_page_has_usage_summary_aliases_and_wrapped_options()
    {
        var command = new Command
        {
            Name = "x",
            Summary = "Does something",
            Synopsis = "[OPTIONS] NAME",
            Spellings = ["container x", "x"],
            Setup = static f =>
            {
                f.Switch("all", 'a', "Show all of them and not only those few that would be shown without it");
                f.Text("name", "Name", "web");
                return static (_, _) => 0;
            },
        };
        Assert.Equal("""
            Usage:  sampan x [OPTIONS] NAME

            Does something

            Aliases:
              sampan container x, sampan x

            Options:
              -a, --all           Show all of them and not only those few that would be
                                  shown without it
                  --name string   Name (default "web")

            """, HelpPage.Of(command, "sampan x", 80));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_flag_of_docker_is_ours_under_the_same_name_letter_and_type(string path)
    {
        if (!File.Exists(DockerPath) || !Run("--version").StartsWith("Docker version 28.", StringComparison.Ordinal)) return;
        var docker = FlagsOf(Run(path + " --help"));
        var command = CommandTree.Root;
        foreach (var word in path.Split(' ')) command = CommandTree.Find(command, word)!;
        var ours = FlagsOf(HelpPage.Of(command, "sampan " + path, 80));
        docker.RemoveAll(flag => path == "volume create" && LeftOut.Contains(flag.Split(' ')[1]));
        docker.RemoveAll(static flag => flag.StartsWith(", tree", StringComparison.Ordinal));
        Assert.Empty(docker.Except(ours));
    }

    [Fact]
    public void Building_the_whole_tree_finds_no_letter_twice()
    {
        foreach (var path in Commands())
        {
            var command = CommandTree.Root;
            foreach (var word in ((string)path.GetData()[0]!).Split(' ')) command = CommandTree.Find(command, word)!;
            var flags = new FlagSet();
            command.Setup!(flags);
            var letters = flags.All.Where(f => f.Shorthand != '\0').Select(f => f.Shorthand).ToList();
            Assert.Equal(letters.Distinct(), letters);
            Assert.Equal(flags.All.Select(f => f.Name).Distinct(), flags.All.Select(f => f.Name));
        }
    }

    private static void Collect(Command parent, string path, TheoryData<string> data)
    {
        foreach (var command in parent.Children!())
        {
            var here = path.Length == 0 ? command.Name : path + " " + command.Name;
            if (command.Children is null) data.Add(here);
            else Collect(command, here, data);
        }
    }

    private static string Run(string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(DockerPath, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        error.Wait();
        process.WaitForExit();
        return output;
    }

    /// <summary>"letter, name type" of each line that begins a flag.</summary>
    private static List<string> FlagsOf(string page)
    {
        var flags = new List<string>();
        foreach (var line in page.Split('\n'))
        {
            if (!line.StartsWith("  -", StringComparison.Ordinal) && !line.StartsWith("      --", StringComparison.Ordinal)) continue;
            var words = line[8..].Split(' ');
            flags.Add($"{line[3..4].Trim()}, {words[0]} {(words.Length > 1 ? words[1] : "")}");
        }

        return flags;
    }
}
