using Sampan.Api;
using Sampan.Engine.Events;

namespace Sampan.Engine.Volumes;

/// <summary>What is stored of a volume.</summary>
internal sealed record VolumeRecord(string Name, DateTimeOffset Created, Dictionary<string, string> Labels, Dictionary<string, string> Options, bool Anonymous);

/// <summary>Named directories under <c>volumes/NAME/_data</c> that outlive containers.</summary>
internal sealed class VolumeService(string dataRoot, Store.IDocuments documents, EventBus events, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly string _root = Path.Combine(dataRoot, "volumes");
    private readonly Dictionary<string, VolumeRecord> _volumes = Load(documents);

    /// <summary>Which containers use a volume; set by the container service, which knows.</summary>
    public Func<string, IReadOnlyList<string>> Users { get; set; } = _ => [];

    /// <summary>The directory that is mounted.</summary>
    public string DataPath(string name) => Path.Combine(_root, name, "_data");

    /// <summary>Docker's rule for volume names.</summary>
    public static void ValidateName(string name)
    {
        var valid = name.Length >= 2 && char.IsAsciiLetterOrDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
        if (!valid)
        {
            throw EngineException.Invalid($"create {name}: \"{name}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path");
        }
    }

    /// <summary>The volume of this name, made when absent. An empty name makes an anonymous one. True when it is new.</summary>
    public (VolumeRecord Volume, bool IsNew) Ensure(string name, IReadOnlyDictionary<string, string>? labels, IReadOnlyDictionary<string, string>? options)
    {
        var anonymous = name.Length == 0;
        name = anonymous ? Containers.Names.NewId() : name;
        ValidateName(name);
        if (options is { Count: > 0 })
        {
            throw EngineException.Invalid($"create {name}: options of the local volume driver are not supported: {string.Join(", ", options.Keys.Order(StringComparer.Ordinal))}");
        }

        lock (_lock)
        {
            if (_volumes.TryGetValue(name, out var existing))
            {
                return (existing, false);
            }

            Directory.CreateDirectory(DataPath(name));
            var all = labels is null ? [] : new Dictionary<string, string>(labels);
            if (anonymous)
            {
                all["com.docker.volume.anonymous"] = "";
            }

            var volume = new VolumeRecord(name, time.GetUtcNow(), all, [], anonymous);
            documents.Put(name, EngineJson.Serialize(volume));
            _volumes.Add(name, volume);
            events.Publish("volume", "create", name, new Dictionary<string, string> { ["driver"] = "local" });
            return (volume, true);
        }
    }

    /// <summary>The API's view of a volume.</summary>
    public Volume Describe(VolumeRecord volume) => new()
    {
        Name = volume.Name,
        Driver = "local",
        Mountpoint = DataPath(volume.Name),
        CreatedAt = volume.Created.ToString("yyyy-MM-dd'T'HH:mm:ssK", System.Globalization.CultureInfo.InvariantCulture).Replace("+00:00", "Z", StringComparison.Ordinal),
        Labels = volume.Labels.Count > 0 ? volume.Labels : null,
        Options = volume.Options.Count > 0 ? volume.Options : null,
        Scope = "local",
    };

    public VolumeRecord Get(string name)
    {
        lock (_lock)
        {
            return _volumes.TryGetValue(name, out var volume) ? volume : throw EngineException.NotFound($"get {name}: no such volume");
        }
    }

    public List<VolumeRecord> List()
    {
        lock (_lock)
        {
            return [.. _volumes.Values.OrderBy(v => v.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>Removes a volume and its data; one that a container uses is a conflict.</summary>
    public void Remove(string name, bool force)
    {
        lock (_lock)
        {
            if (!_volumes.TryGetValue(name, out _))
            {
                if (force)
                {
                    return;
                }

                throw EngineException.NotFound($"get {name}: no such volume");
            }

            var users = Users(name);
            if (users.Count > 0)
            {
                throw EngineException.Conflict($"remove {name}: volume is in use - [{string.Join(", ", users)}]");
            }

            // The row goes first: data without a row is swept at the next start, a row without data would be a lie.
            documents.Delete(name);
            _volumes.Remove(name);
            Store.TreeRemover.Remove(Path.Combine(_root, name));
            events.Publish("volume", "destroy", name, new Dictionary<string, string> { ["driver"] = "local" });
        }
    }

    private static Dictionary<string, VolumeRecord> Load(Store.IDocuments documents) =>
        documents.List().Select(d => EngineJson.Deserialize<VolumeRecord>(d.Json)).ToDictionary(v => v.Name);
}
