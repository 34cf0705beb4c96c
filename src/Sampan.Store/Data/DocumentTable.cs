namespace Sampan.Store;

/// <summary><see cref="IDocuments"/> in the table <c>documents</c>.</summary>
internal sealed class DocumentTable(Database database, string collection) : IDocuments
{
    public void Put(string id, string json, bool durable = true) => database.Transaction(durable, () =>
        database.Execute("INSERT INTO documents VALUES ($1, $2, $3) ON CONFLICT DO UPDATE SET json = excluded.json", collection, id, json));

    public bool Delete(string id, bool durable = true) => database.Transaction(durable, () =>
        database.Execute("DELETE FROM documents WHERE collection = $1 AND id = $2", collection, id)) > 0;

    public string? Get(string id) =>
        database.Query("SELECT json FROM documents WHERE collection = $1 AND id = $2", r => r.GetString(0), collection, id).FirstOrDefault();

    public IReadOnlyList<Document> List() => database.Query("SELECT id, json FROM documents WHERE collection = $1 ORDER BY id",
        r => new Document(r.GetString(0), r.GetString(1)), collection);
}
