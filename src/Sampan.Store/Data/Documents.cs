namespace Sampan.Store;

/// <summary>One stored document.</summary>
public sealed record Document(string Id, string Json);

/// <summary>A collection of JSON documents by id. What <see cref="Put"/> and <see cref="Delete"/> acknowledge survives power loss. Thread-safe.</summary>
public interface IDocuments
{
    /// <summary>Stores or replaces.</summary>
    void Put(string id, string json);

    /// <summary>Removes; false when it was not there.</summary>
    bool Delete(string id);

    /// <summary>The document's JSON; null when it is not there.</summary>
    string? Get(string id);

    /// <summary>All documents, by id in byte order.</summary>
    IReadOnlyList<Document> List();
}
