using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;
using Sampan.Oci;

namespace Sampan.Store;

/// <summary>
/// What build steps gave, by the digest of the named parts of their keys. Entries keep their layers alive and survive a restart; a power cut may
/// lose the newest, never leave one that names a layer that is not whole. Thread-safe.
/// </summary>
public sealed class BuildCache
{
    private readonly Database _database;
    private readonly LayerStore _layers;

    internal BuildCache(Database database, LayerStore layers) => (_database, _layers) = (database, layers);

    /// <summary>The key of named parts: their order counts, and no part can pass for two.</summary>
    public static Digest KeyOf(IReadOnlyList<CacheKeyPart> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            // Lengths first, so that no text of one part can imitate another.
            var name = Encoding.UTF8.GetBytes(part.Name);
            var value = Encoding.UTF8.GetBytes(part.Value);
            hash.AppendData(Encoding.ASCII.GetBytes($"{name.Length}:{value.Length}:"));
            hash.AppendData(name);
            hash.AppendData(value);
        }

        return Digest.FromSha256(hash.GetHashAndReset());
    }

    /// <summary>Looks a key up; null when there is none or its layer is gone. Hold a <see cref="Lease"/> over the use of its layer.</summary>
    public CacheEntry? Get(Digest key) =>
        Read("WHERE key = $1", key.ToString()).FirstOrDefault() is { } entry && (entry.Layer is not { } layer || _layers.Get(layer) is not null) ? entry : null;

    /// <summary>Notes that entries were of use, and stores or replaces others; all in one transaction.</summary>
    public void Update(IReadOnlyCollection<Digest> used, IReadOnlyCollection<CacheEntry> added) => _database.Transaction(false, () =>
    {
        var now = Time(DateTimeOffset.UtcNow);
        foreach (var key in used)
        {
            _database.Execute("UPDATE cache SET last_used = $2, uses = uses + 1 WHERE key = $1", key.ToString(), now);
        }

        foreach (var entry in added)
        {
            _database.Execute(
                """
                INSERT INTO cache VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO UPDATE SET description = excluded.description,
                    state = excluded.state, layer = excluded.layer, size = excluded.size, created = excluded.created, last_used = excluded.last_used
                """,
                entry.Key.ToString(), entry.Description, entry.State, entry.Layer?.ToString(), entry.Size, Time(entry.Created), now);
        }

        return true;
    });

    /// <summary>Stores or replaces an entry.</summary>
    public void Put(CacheEntry entry) => Update([], [entry]);

    /// <summary>All entries, newest use first.</summary>
    public IReadOnlyList<CacheEntry> List() => Read("ORDER BY last_used DESC, key");

    /// <summary>Removes the entries that the filter takes, and then the layers that nothing else refers to; gives what was removed.</summary>
    public IReadOnlyList<CacheEntry> Prune(Func<CacheEntry, bool> filter)
    {
        var removed = _database.Transaction(() =>
        {
            var chosen = List().Where(filter).ToList();
            foreach (var entry in chosen)
            {
                _database.Execute("DELETE FROM cache WHERE key = $1", entry.Key.ToString());
            }

            return chosen;
        });
        _layers.Collect();
        return removed;
    }

    /// <summary>The layers that entries keep alive.</summary>
    internal IEnumerable<ChainId> LayerRoots() =>
        _database.Query("SELECT DISTINCT layer FROM cache WHERE layer IS NOT NULL", r => ChainId.Parse(r.GetString(0)));

    /// <summary>Removes entries whose layer a crash took with it.</summary>
    internal void DropDangling()
    {
        if (_database.Query("SELECT 1 FROM cache WHERE layer IS NOT NULL AND layer NOT IN (SELECT chain_id FROM layers) LIMIT 1", _ => true).Count > 0)
        {
            _database.Execute("DELETE FROM cache WHERE layer IS NOT NULL AND layer NOT IN (SELECT chain_id FROM layers)");
        }
    }

    private List<CacheEntry> Read(string tail, params ReadOnlySpan<object?> parameters) =>
        _database.Query($"SELECT key, description, state, layer, size, created, last_used, uses FROM cache {tail}", ReadEntry, parameters);

    private static CacheEntry ReadEntry(SqliteDataReader row) => new()
    {
        Key = Digest.Parse(row.GetString(0)),
        Description = row.GetString(1),
        State = row.IsDBNull(2) ? null : row.GetString(2),
        Layer = row.IsDBNull(3) ? null : ChainId.Parse(row.GetString(3)),
        Size = row.GetInt64(4),
        Created = DateTimeOffset.Parse(row.GetString(5), CultureInfo.InvariantCulture),
        LastUsed = DateTimeOffset.Parse(row.GetString(6), CultureInfo.InvariantCulture),
        Uses = row.GetInt64(7),
    };

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
