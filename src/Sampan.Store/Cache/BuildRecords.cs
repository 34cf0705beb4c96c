using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Store;

/// <summary>How the last build from an origin went, step by step.</summary>
public sealed record BuildRecord
{
    /// <summary>Where the build came from: the client's directory and Dockerfile, or a name.</summary>
    public required string Origin { get; init; }

    public required DateTimeOffset Finished { get; init; }

    /// <summary>The image; null when the build failed.</summary>
    public string? Image { get; init; }

    /// <summary>Digest of the ignore file; null when there is none.</summary>
    public string? IgnoreDigest { get; init; }

    public IReadOnlyList<StepRecord> Steps { get; init; } = [];
}

/// <summary>A step of a build.</summary>
/// <param name="Slot">Its place in the Dockerfile.</param>
/// <param name="Line">Where it begins.</param>
/// <param name="Text">As written.</param>
/// <param name="Key">Digest of its key, under which <see cref="BuildRecords.Parts"/> finds the parts.</param>
/// <param name="Reasons">Why it was not found in the cache.</param>
/// <param name="IsReached">False when it is known from an earlier build, and the last one did not come so far.</param>
public sealed record StepRecord(string Slot, string Stage, int Line, string Text, string Key, bool IsCached, IReadOnlyList<string> Reasons, bool IsReached = true);

/// <summary>The last build of each origin, and what its keys were made of, so that the next can say what changed. Thread-safe.</summary>
public sealed class BuildRecords
{
    /// <summary>Origins remembered; those built longest ago are forgotten first.</summary>
    private const int MaxOrigins = 200;

    private const int CompressionLevel = 1;

    private readonly Database _database;

    internal BuildRecords(Database database) => _database = database;

    /// <summary>The last build; null when none is known.</summary>
    public BuildRecord? Get(string origin) => _database.Query("SELECT document FROM build_records WHERE origin = $1",
        r => JsonSerializer.Deserialize(r.GetString(0), RecordJson.Default.BuildRecord), origin).FirstOrDefault();

    /// <summary>The parts of a key in an origin's last build; null when they are not known.</summary>
    public IReadOnlyList<CacheKeyPart>? Parts(string origin, string key)
    {
        var rows = _database.Query("SELECT parts FROM build_parts WHERE origin = $1 AND key = $2", r => (byte[])r.GetValue(0), origin, key);
        if (rows.Count == 0)
        {
            return null;
        }

        using var decompressor = new ZstdSharp.Decompressor();
        return JsonSerializer.Deserialize(decompressor.Unwrap(rows[0]), RecordJson.Default.ListCacheKeyPart);
    }

    /// <summary>Replaces what is known of an origin.</summary>
    /// <param name="parts">The parts of keys that the last record did not have.</param>
    public void Put(BuildRecord record, IReadOnlyDictionary<string, IReadOnlyList<CacheKeyPart>> parts)
    {
        var keys = record.Steps.Select(step => step.Key).ToHashSet();
        _database.Transaction(durable: false, () =>
        {
            _database.Execute("INSERT INTO build_records VALUES ($1, $2, $3) ON CONFLICT DO UPDATE SET document = excluded.document, finished = excluded.finished",
                record.Origin, JsonSerializer.Serialize(record, RecordJson.Default.BuildRecord), Time(record.Finished));
            foreach (var key in _database.Query("SELECT key FROM build_parts WHERE origin = $1", r => r.GetString(0), record.Origin).Where(k => !keys.Contains(k)))
            {
                _database.Execute("DELETE FROM build_parts WHERE origin = $1 AND key = $2", record.Origin, key);
            }

            foreach (var (key, list) in parts)
            {
                using var compressor = new ZstdSharp.Compressor(CompressionLevel);
                var blob = compressor.Wrap(JsonSerializer.SerializeToUtf8Bytes([.. list], RecordJson.Default.ListCacheKeyPart)).ToArray();
                _database.Execute("INSERT OR REPLACE INTO build_parts VALUES ($1, $2, $3)", record.Origin, key, blob);
            }

            return _database.Execute("DELETE FROM build_records WHERE origin IN (SELECT origin FROM build_records ORDER BY finished DESC LIMIT -1 OFFSET $1)", MaxOrigins) > 0
                ? _database.Execute("DELETE FROM build_parts WHERE origin NOT IN (SELECT origin FROM build_records)") : 0;
        });
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BuildRecord))]
[JsonSerializable(typeof(List<CacheKeyPart>))]
internal sealed partial class RecordJson : JsonSerializerContext;
