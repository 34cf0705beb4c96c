using System.Xml.Linq;
using Xunit;

namespace Sampan.Tests.Unit.Solution;

/// <summary>The picture of ARCHITECTURE.md is what the projects say.</summary>
public sealed class RoomsTests
{
    private static readonly Dictionary<string, string[]> Picture = new()
    {
        ["Linux"] = [],
        ["Oci"] = [],
        ["Dockerfile"] = [],
        ["Api"] = [],
        ["Store"] = ["Linux", "Oci"],
        ["Registry"] = ["Oci", "Store"],
        ["Runtime"] = ["Linux", "Oci"],
        ["Network"] = ["Linux"],
        ["Build"] = ["Dockerfile", "Linux", "Oci", "Store"],
        ["Engine"] = ["Api", "Build", "Dockerfile", "Linux", "Network", "Oci", "Registry", "Runtime", "Store"],
        ["Daemon"] = ["Api", "Dockerfile", "Engine", "Linux", "Oci"],
        ["Cli"] = ["Api", "Daemon", "Dockerfile", "Engine", "Linux", "Network", "Oci", "Registry", "Runtime"],
    };

    [Fact]
    public void Every_room_uses_only_the_rooms_of_the_picture()
    {
        foreach (var (room, uses) in Picture)
        {
            var project = XDocument.Load(Path.Combine(Root(), "src", $"Sampan.{room}", $"Sampan.{room}.csproj"));
            var references = project.Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)["Sampan.".Length..]).Order();
            Assert.Equal(uses, references);
        }
    }

    private static string Root()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Sampan.slnx")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new DirectoryNotFoundException("no Sampan.slnx above the tests");
        }

        return directory;
    }
}
