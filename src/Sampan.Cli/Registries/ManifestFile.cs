using System.Text.Json;
using Sampan.Cli.CommandLine;
using Sampan.Oci;

namespace Sampan.Cli.Registries;

/// <summary>
/// An index that is being put together: an OCI index in <c>manifests/</c> beside the credentials, whose manifests carry the reference they
/// were found by as an annotation.
/// </summary>
internal sealed class ManifestFile
{
    private const string Source = "io.containerd.image.name";

    private readonly string _path;

    /// <param name="name">The index's name, with a tag.</param>
    public ManifestFile(ImageReference name)
    {
        Name = name;
        _path = Path.Combine(CredentialFile.Folder, "manifests", name.ToString().Replace('/', '_').Replace(':', '-') + ".json");
    }

    public ImageReference Name { get; }

    public bool Exists => File.Exists(_path);

    /// <summary>Its manifests with the references they were found by; none when it does not exist.</summary>
    /// <exception cref="CliException">The file is damaged.</exception>
    public List<(ImageReference Source, Descriptor Descriptor)> Read()
    {
        if (!Exists) return [];
        try
        {
            var index = JsonSerializer.Deserialize(File.ReadAllBytes(_path), ImageJson.Compact.ImageIndex);
            return [.. index!.Manifests.Select(m => (ImageReference.Parse(m.Annotations![Source]), m with { Annotations = null }))];
        }
        catch (Exception e) when (e is JsonException or FormatException or NullReferenceException or KeyNotFoundException)
        {
            throw new CliException($"manifest list {_path} is damaged ({e.Message}): remove it with 'manifest rm' and create it again");
        }
    }

    public void Write(IEnumerable<(ImageReference Source, Descriptor Descriptor)> manifests)
    {
        var annotated = manifests.Select(m => m.Descriptor with
        {
            Annotations = new SortedDictionary<string, string>(StringComparer.Ordinal) { [Source] = m.Source.ToString() },
        });
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        var fresh = $"{_path}.{Environment.ProcessId}";
        File.WriteAllBytes(fresh, JsonSerializer.SerializeToUtf8Bytes(new ImageIndex { Manifests = [.. annotated] }, ImageJson.Compact.ImageIndex));
        File.Move(fresh, _path, overwrite: true);
    }

    public void Remove() => File.Delete(_path);
}
