namespace Sampan.Store;

/// <summary>One stored document.</summary>
public sealed record Document(string Id, string Json);

/// <summary>
/// A collection of JSON documents by id. What <see cref="Put"/> and <see cref="Delete"/> acknowledge survives power loss,
/// unless the caller can do without (a process that is killed loses nothing either way). Thread-safe.
/// </summary>
public interface IDocuments
{
    /// <summary>Stores or replaces.</summary>
    void Put(string id, string json, bool durable = true);

    /// <summary>Removes; false when it was not there.</summary>
    bool Delete(string id, bool durable = true);

    /// <summary>The document's JSON; null when it is not there.</summary>
    string? Get(string id);

    /// <summary>All documents, by id in byte order.</summary>
    IReadOnlyList<Document> List();
}
