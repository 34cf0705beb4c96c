using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.Commands;

namespace Sampan.Cli.Archives;

/// <summary>A directory of ours that is an OCI layout: an index, and blobs by digest.</summary>
internal static class LayoutDirectory
{
    private const string Index = "index.json", Tag = "org.opencontainers.image.ref.name";

    /// <summary>There is an index.</summary>
    public static bool Exists(string path) => File.Exists(Path.Combine(path, Index));

    /// <summary>An image of the layout by its digest, or else its tag, or else the only one or that with the tag <c>latest</c>.</summary>
    public static JsonNode? Find(string path, string digest, string tag)
    {
        var manifests = JsonNode.Parse(File.ReadAllBytes(Path.Combine(path, Index))).Items("manifests");
        foreach (var manifest in manifests)
        {
            var name = manifest.Child("annotations").Text(Tag);
            if (digest.Length > 0 ? manifest.Text("digest") == digest : tag.Length > 0 ? IsTag(tag) : manifests.Count == 1 || IsTag("latest")) return manifest;

            // Docker's clients write the whole name.
            bool IsTag(string wanted) => name == wanted || name.EndsWith(":" + wanted, StringComparison.Ordinal);
        }

        return null;
    }

    /// <summary>Writes an archive of the layout with one image alone, and without its name.</summary>
    public static void Write(Stream output, string path, JsonNode manifest)
    {
        using var archive = new TreeArchive(output, asRoot: true);
        archive.AddText("oci-layout", """{"imageLayoutVersion":"1.0.0"}"""u8);
        archive.AddText(Index, Encoding.UTF8.GetBytes(IndexOf(new JsonArray((JsonNode)Bare(manifest))).ToJsonString()));
        archive.AddTree(Path.Combine(path, "blobs"), "blobs");
    }

    /// <summary>Lists an image, whose blobs are there, under a tag, in place of another one that had it.</summary>
    public static void Put(string path, JsonNode manifest, string tag)
    {
        var manifests = new JsonArray();
        foreach (var other in Exists(path) ? JsonNode.Parse(File.ReadAllBytes(Path.Combine(path, Index))).Items("manifests") : [])
        {
            if (other.Child("annotations").Text(Tag) != tag) manifests.Add(other?.DeepClone());
        }

        var listed = Bare(manifest);
        listed["annotations"] = new JsonObject { [Tag] = tag };
        manifests.Add((JsonNode)listed);
        File.WriteAllText(Path.Combine(path, Index), IndexOf(manifests).ToJsonString());
    }

    private static JsonObject IndexOf(JsonArray manifests) => new() { ["schemaVersion"] = 2, ["manifests"] = manifests };

    private static JsonObject Bare(JsonNode manifest) =>
        new() { ["mediaType"] = manifest.Text("mediaType"), ["digest"] = manifest.Text("digest"), ["size"] = manifest.Number("size") };
}
