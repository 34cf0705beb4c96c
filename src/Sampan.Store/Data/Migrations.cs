using System.Globalization;

namespace Sampan.Store;

/// <summary>The schema, as the steps that led to it. A step that was released is never changed: another one follows.</summary>
internal static class Migrations
{
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE documents (collection TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID;
        CREATE TABLE layers (chain_id TEXT NOT NULL PRIMARY KEY, diff_id TEXT NOT NULL, parent TEXT, directory TEXT NOT NULL UNIQUE,
            size INTEGER NOT NULL, tar_size INTEGER NOT NULL, entries INTEGER NOT NULL, created TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE images (id TEXT NOT NULL PRIMARY KEY, parent TEXT, last_tagged TEXT) WITHOUT ROWID;
        CREATE TABLE names (name TEXT NOT NULL PRIMARY KEY, image TEXT NOT NULL REFERENCES images (id)) WITHOUT ROWID;
        CREATE INDEX names_image ON names (image);
        CREATE TABLE cache (key TEXT NOT NULL PRIMARY KEY, document TEXT NOT NULL, layer TEXT, size INTEGER NOT NULL, created TEXT NOT NULL,
            last_used TEXT NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;
        """,
        """
        DROP TABLE cache;
        CREATE TABLE cache (key TEXT NOT NULL PRIMARY KEY, description TEXT NOT NULL, state TEXT, layer TEXT, size INTEGER NOT NULL,
            created TEXT NOT NULL, last_used TEXT NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE build_records (origin TEXT NOT NULL PRIMARY KEY, document TEXT NOT NULL, finished TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE build_parts (origin TEXT NOT NULL, key TEXT NOT NULL, parts BLOB NOT NULL, PRIMARY KEY (origin, key));
        CREATE TABLE file_digests (file_system INTEGER NOT NULL, directory INTEGER NOT NULL, entries BLOB NOT NULL, used TEXT NOT NULL,
            PRIMARY KEY (file_system, directory));
        """,
    ];

    public static void Run(Database database)
    {
        // user_version answers without touching a table, so that the usual start costs one read.
        var version = database.Query("PRAGMA user_version", r => r.GetInt32(0))[0];
        if (version == Steps.Length)
        {
            return;
        }

        if (version > Steps.Length)
        {
            throw StoreException.Damaged($"the database has schema {version}, this version knows {Steps.Length}: a newer sampan wrote it");
        }

        database.Transaction(() =>
        {
            database.Execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER NOT NULL PRIMARY KEY, applied TEXT NOT NULL)");
            for (var step = version; step < Steps.Length; step++)
            {
                database.Execute(Steps[step]);
                database.Execute("INSERT INTO migrations VALUES ($1, $2)", step + 1, DateTimeOffset.UtcNow.ToString("O", CultureInfo.InvariantCulture));
            }

            database.Execute($"PRAGMA user_version={Steps.Length}");
        });
    }
}
