namespace Sampan.Engine.Containers;

/// <summary>All containers by id and by name, in memory and in the database; every change of a record goes through <see cref="Save"/>.</summary>
internal sealed class ContainerTable
{
    private readonly Lock _lock = new();
    private readonly Store.IDocuments _documents;
    private readonly Dictionary<string, Container> _byId = [];
    private readonly Dictionary<string, Container> _byName = [];

    public ContainerTable(Store.IDocuments documents)
    {
        _documents = documents;
        foreach (var document in documents.List())
        {
            var container = new Container(EngineJson.Deserialize<ContainerRecord>(document.Json));
            _byId.Add(container.Id, container);
            _byName[container.Record.Name] = container;
        }
    }

    /// <summary>All containers, newest first.</summary>
    public List<Container> List()
    {
        lock (_lock)
        {
            return [.. _byId.Values.OrderByDescending(c => c.Record.Created)];
        }
    }

    /// <summary>Finds by full id, name, or unambiguous id prefix, in that order. Errors are dockerd's.</summary>
    public Container Get(string nameOrId) => TryGet(nameOrId) ?? throw EngineException.NotFound($"No such container: {nameOrId}");

    /// <summary>The same; null when there is none.</summary>
    public Container? TryGet(string nameOrId)
    {
        var name = nameOrId.StartsWith('/') ? nameOrId[1..] : nameOrId;
        lock (_lock)
        {
            if (_byId.TryGetValue(name, out var container) || _byName.TryGetValue(name, out container))
            {
                return container;
            }

            Container? match = null;
            foreach (var (id, candidate) in _byId)
            {
                if (name.Length > 0 && id.StartsWith(name, StringComparison.Ordinal))
                {
                    match = match is null
                        ? candidate
                        : throw EngineException.Invalid($"multiple IDs found with provided prefix: {name}");
                }
            }

            return match;
        }
    }

    public Container? Find(string id)
    {
        lock (_lock)
        {
            return _byId.GetValueOrDefault(id);
        }
    }

    public bool HasName(string name)
    {
        lock (_lock)
        {
            return _byName.ContainsKey(name);
        }
    }

    /// <summary>Adds a container under its name; of two with one name exactly one gets it.</summary>
    public Container Add(ContainerRecord record)
    {
        var container = new Container(record);
        lock (_lock)
        {
            RequireFree(record.Name);
            _byId.Add(record.Id, container);
            _byName.Add(record.Name, container);
        }

        try
        {
            Save(container);
        }
        catch
        {
            Forget(container);
            throw;
        }

        return container;
    }

    public void Rename(Container container, string name)
    {
        lock (_lock)
        {
            RequireFree(name);
            _byName.Remove(container.Record.Name);
            _byName.Add(name, container);
            container.Record.Name = name;
        }

        Save(container);
    }

    /// <summary>
    /// Writes the record; what was acknowledged to a client must be saved before. A container for one run would not outlive a power cut
    /// anyway, so its record need not: what it leaves is swept at the next start.
    /// </summary>
    public void Save(Container container) =>
        _documents.Put(container.Id, EngineJson.Serialize(container.Record), durable: !container.Record.HostConfig.AutoRemove);

    public void Remove(Container container)
    {
        // Lost to a power cut it is still recorded as being removed, and is removed again.
        _documents.Delete(container.Id, durable: false);
        Forget(container);
    }

    private void Forget(Container container)
    {
        lock (_lock)
        {
            _byId.Remove(container.Id);
            _byName.Remove(container.Record.Name);
        }
    }

    private void RequireFree(string name)
    {
        if (_byName.TryGetValue(name, out var holder))
        {
            throw EngineException.Conflict($"Conflict. The container name \"/{name}\" is already in use by container \"{holder.Id}\". You have to remove (or rename) that container to be able to reuse that name.");
        }
    }
}
