using System.Formats.Tar;
using System.Text.Json.Nodes;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;

namespace Sampan.Cli.Commands.Images;

/// <summary>
/// The values of <c>--cache-from</c> and <c>--cache-to</c>. Directories (<c>type=local</c>) are ours, not the daemon's, which may be elsewhere: the
/// cache in them is an image layout, which goes to and fro as images do. The rest is for the daemon.
/// </summary>
internal sealed class BuildCacheFiles
{
    private const string Local = "local";

    /// <summary>A directory, and which image of it.</summary>
    private sealed record Place(string Directory, string Mode, string Tag, string Digest);

    private readonly ClientContext _context;
    private readonly HashSet<string> _carriers = [];
    private readonly List<Place> _places = [];

    public BuildCacheFiles(ClientContext context) => _context = context;

    /// <summary>Loads what is in directories, and puts into the query what the daemon has to know.</summary>
    public void Prepare(List<string> from, List<string> to, Query query)
    {
        var sources = new JsonArray();
        foreach (var value in from)
        {
            if (Parse(value, "src") is not { } local)
            {
                // Plain names may stand together, as with docker.
                foreach (var name in value.Contains('=') ? [value] : value.Split(',')) sources.Add((JsonNode)name);
            }
            else if ((LayoutDirectory.Exists(local.Directory) ? LayoutDirectory.Find(local.Directory, local.Digest, local.Tag) : null) is { } image)
            {
                sources.Add((JsonNode)Load(local.Directory, image));
            }
            else
            {
                _context.Error.WriteLine($"no cache from {local.Directory}: there is none yet");
            }
        }

        if (sources.Count > 0) query.Add("cachefrom", sources.ToJsonString());
        foreach (var value in to)
        {
            if (Parse(value, "dest") is not { } local)
            {
                query.Add("cacheto", value);
                continue;
            }

            _places.Add(local);
            query.Add("cacheto", $"type={Local},mode={local.Mode}");
        }
    }

    /// <summary>Writes the directories, and takes from the daemon what only carried a cache.</summary>
    /// <param name="cacheId">The image that holds the new cache; empty when the build failed or none was asked for.</param>
    public void Finish(string cacheId)
    {
        if (cacheId.Length > 0)
        {
            foreach (var place in _places) Save(cacheId, place);
            _carriers.Add(cacheId);
        }

        foreach (var id in _carriers) RemoveUnnamed(id);
    }

    /// <summary>A value of type local; null for another one.</summary>
    private static Place? Parse(string value, string key)
    {
        var values = new Dictionary<string, string>();
        foreach (var part in value.Split(','))
        {
            var at = part.IndexOf('=');
            if (at > 0) values[part[..at].Trim()] = part[(at + 1)..].Trim();
        }

        if (values.GetValueOrDefault("type") != Local) return null;
        foreach (var name in values.Keys)
        {
            if (name is not ("type" or "tag") && name != key && name != (key == "src" ? "digest" : "mode")) throw new CliException($"invalid cache '{value}': unknown key '{name}'");
        }

        return values.GetValueOrDefault(key) is { Length: > 0 } directory
            ? new(directory, values.GetValueOrDefault("mode", "min"), values.GetValueOrDefault("tag", key == "src" ? "" : "latest"), values.GetValueOrDefault("digest", ""))
            : throw new CliException($"invalid cache '{value}': want {key}=DIRECTORY");
    }

    private string Load(string directory, JsonNode image)
    {
        using var response = _context.Api.SendStream("POST", "/images/load?quiet=1", "application/x-tar", output => LayoutDirectory.Write(output, directory, image));
        foreach (var message in ProgressStream.Messages(response.Body))
        {
            if (message.Text("error") is { Length: > 0 } error) throw new CliException($"cache in {directory}: {error}");
            var at = message.Text("stream").IndexOf("sha256:", StringComparison.Ordinal);
            if (at >= 0)
            {
                var id = message.Text("stream")[at..].Trim();
                _carriers.Add(id);
                return id;
            }
        }

        throw new CliException($"cache in {directory}: the daemon found no image in it");
    }

    /// <summary>Keeps of the archive what makes an OCI layout, as BuildKit's clients write and read it.</summary>
    private void Save(string id, Place place)
    {
        JsonNode? index = null;
        Directory.CreateDirectory(place.Directory);
        using var response = _context.Api.Get($"/images/{Query.Escape(id)}/get");
        using var archive = new TarReader(response.Body);
        while (archive.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)) continue;
            if (entry.Name == "index.json") index = JsonNode.Parse(entry.DataStream!);
            if (entry.Name != "oci-layout" && !entry.Name.StartsWith("blobs/", StringComparison.Ordinal)) continue;
            var path = Path.Combine(place.Directory, entry.Name);
            if (Array.Exists(entry.Name.Split('/'), static part => part is "" or "." or "..")) throw new CliException($"the daemon sent a file called '{entry.Name}'");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            entry.ExtractToFile(path, overwrite: true);
        }

        LayoutDirectory.Put(place.Directory, index.Items("manifests")[0]!, place.Tag);
    }

    private void RemoveUnnamed(string id)
    {
        var image = _context.Api.GetJson($"/images/{Query.Escape(id)}/json");
        if (image.Items("RepoTags").Count == 0 && image.Items("RepoDigests").Count == 0)
        {
            _context.Api.Send("DELETE", $"/images/{Query.Escape(id)}").Dispose();
        }
    }
}
