using System.Text.Json;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Images;

/// <summary>The layer lens: what each layer does, what is hidden, how two images differ. Sampan's own.</summary>
public sealed class LensTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Sampan)
{
    private async Task<string> Build(string dockerfile)
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd has no such commands");
        string image = NewName();
        (await Cli.Run(["build", "-t", image, "-"], System.Text.Encoding.UTF8.GetBytes(dockerfile))).Succeeds();
        return image;
    }

    [Fact]
    public async Task A_tree_shows_what_each_layer_adds_changes_and_deletes()
    {
        string image = await Build("FROM busybox\nRUN mkdir /d && echo one > /d/a && echo b > /d/b\nRUN echo longer > /d/a && rm /d/b && ln -s a /d/link\n");
        JsonElement tree = JsonDocument.Parse((await Run($"image tree --format json {image}")).Succeeds().Output).RootElement;
        JsonElement[] layers = [.. tree.GetProperty("Layers").EnumerateArray()];
        Assert.Equal(3, layers.Length);
        Assert.Equal(["A /d 0", "A /d/a 4", "A /d/b 2"], Changes(layers[1]));
        Assert.Equal(["C /d/a 7", "D /d/b 0", "A /d/link 0"], Changes(layers[2]));
        Assert.Contains("ln -s a", layers[2].GetProperty("CreatedBy").GetString());
        (await Run($"image tree {image}")).Succeeds().Shows("A /d/link").Shows("+1 ~1 -1");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Waste_counts_what_later_layers_hide()
    {
        string image = await Build("FROM busybox\nRUN mkdir -p /d/e && head -c 300000 /dev/zero > /d/big && head -c 70000 /dev/zero > /d/e/x\n"
            + "RUN chmod 600 /d/big\nRUN rm -r /d/e\n");
        JsonElement waste = JsonDocument.Parse((await Run($"image waste --format json {image}")).Succeeds().Output).RootElement;
        Assert.Equal(370000, waste.GetProperty("WastedBytes").GetInt64());
        JsonElement first = waste.GetProperty("Wasted")[0], second = waste.GetProperty("Wasted")[1];
        Assert.Equal(("/d/big", 300000, 2, 3, false), (first.GetProperty("Path").GetString(), first.GetProperty("Size").GetInt64(),
            first.GetProperty("Layer").GetInt32(), first.GetProperty("HiddenBy").GetInt32(), first.GetProperty("Deleted").GetBoolean()));
        Assert.Equal(("/d/e/x", true), (second.GetProperty("Path").GetString(), second.GetProperty("Deleted").GetBoolean()));
        JsonElement repeated = waste.GetProperty("Repeated")[0];
        Assert.Equal("/d/big", repeated.GetProperty("Path").GetString());
        Assert.Equal([2, 3], repeated.GetProperty("Layers").EnumerateArray().Select(l => l.GetInt32()));
        Assert.Contains(waste.GetProperty("Directories").EnumerateArray(), d => d.GetProperty("Path").GetString() == "/d" && d.GetProperty("Size").GetInt64() == 300000);
        (await Run($"image waste {image}")).Succeeds().Shows("370kB of").Shows("/d/big (layer 2, overwritten by layer 3)").Shows("Largest directories:");
        (await Run($"rmi {image}")).Succeeds();
    }

    [Fact]
    public async Task Two_images_are_compared_by_their_files_not_by_their_layers()
    {
        string a = await Build("FROM busybox\nRUN mkdir /d && echo same > /d/same && echo 1 > /d/content && echo x > /d/mode && echo gone > /d/gone && ln -s 1 /d/target\n");
        string b = await Build("FROM busybox\nRUN mkdir /d\nRUN echo same > /d/same\nRUN echo 2 > /d/content\nRUN echo x > /d/mode && chmod 600 /d/mode && ln -s 2 /d/target && echo new > /d/new\n");
        (await Run($"image diff {a} {b}")).Succeeds().Prints("C /d/content (content)\nD /d/gone -5B\nC /d/mode (mode)\nA /d/new +4B\nC /d/target (target)");
        (await Run($"image diff {a} {a}")).Succeeds().Prints("");
        JsonElement difference = JsonDocument.Parse((await Run($"image diff --format json {a} {b}")).Succeeds().Output).RootElement;
        Assert.Equal(5, difference.GetProperty("Changes").GetArrayLength());
        (await Run($"image diff {a} no-such-image")).Exits(1).Complains("no such image");
        (await Run($"image tree --format yaml {a}")).Exits(1).Complains("json");
        (await Run($"rmi {a} {b}")).Succeeds();
    }

    private static string[] Changes(JsonElement layer) => [.. layer.GetProperty("Changes").EnumerateArray()
        .Select(c => $"{c.GetProperty("Kind").GetString()} {c.GetProperty("Path").GetString()} {c.GetProperty("Size").GetInt64()}")];
}
