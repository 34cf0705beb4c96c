using Sampan.Oci;

namespace Sampan.Store;

/// <summary><c>rmi</c>: untag before delete, and what stands in the way, in the order and words of Docker.</summary>
public sealed partial class ImageStore
{
    /// <summary>
    /// <c>rmi</c>: takes the name away, and deletes the image, its untagged parents and the layers nothing else needs when it was the last one.
    /// </summary>
    /// <returns>What happened, in order.</returns>
    /// <exception cref="StoreException">NotFound, or Conflict with Docker's words.</exception>
    public IReadOnlyList<RemovedImage> Remove(string nameOrId, RemoveOptions options)
    {
        var removed = _database.Transaction(() =>
        {
            var records = new List<RemovedImage>();
            var image = Resolve(nameOrId);
            var isById = image.Id.ToString().StartsWith(nameOrId, StringComparison.Ordinal) || image.Id.Hex.StartsWith(nameOrId, StringComparison.Ordinal);
            if (isById ? UntagById(image.Id, options, records) : UntagByName(image.Id, ImageReference.Parse(nameOrId), options, records))
            {
                Delete(image.Id, options, options.Force, quiet: !isById, records);
            }

            return records;
        });
        return Clean(removed);
    }

    /// <summary>Deletes the images that have no name (and those that no container uses, when <paramref name="all"/>), as far as nothing stands in the way.</summary>
    /// <param name="filter">Which of them.</param>
    /// <returns>What happened, and the bytes of the layers that went.</returns>
    public (IReadOnlyList<RemovedImage> Removed, long SpaceReclaimed) Prune(bool all, Func<ImageRecord, bool> filter, Func<Digest, IReadOnlyList<ImageUser>> containers)
    {
        var options = new RemoveOptions { Containers = containers };
        var removed = _database.Transaction(() =>
        {
            var records = new List<RemovedImage>();
            foreach (var image in List().Where(i => (all || i.IsDangling) && filter(i) && containers(i.Id).Count == 0))
            {
                // A parent goes with its last child.
                if (Get(image.Id) is null || ChildIds(image.Id).Count > 0)
                {
                    continue;
                }

                Delete(image.Id, options, force: true, quiet: true, records);
            }

            return records;
        });
        var before = _layers.List().Sum(l => l.Size);
        return (Clean(removed), before - _layers.List().Sum(l => l.Size));
    }

    /// <summary>After the transaction: the blobs and layers that nothing refers to any more.</summary>
    private List<RemovedImage> Clean(List<RemovedImage> removed)
    {
        var deleted = removed.Where(r => r.Deleted is not null).ToList();
        foreach (var record in deleted)
        {
            var id = Digest.Parse(record.Deleted!);
            _configs.TryRemove(id, out _);
            _blobs.Delete(id);
        }

        if (deleted.Count > 0)
        {
            removed.AddRange(_layers.Collect().Select(l => new RemovedImage(null, l.ChainId.ToString())));
        }

        return removed;
    }

    /// <summary>By name: that name goes. True when it was the last, so that the image is to follow.</summary>
    private bool UntagByName(Digest id, ImageReference reference, RemoveOptions options, List<RemovedImage> records)
    {
        // The last name of an image that a container uses stays, or the image would be left without one.
        if (!options.Force && IsSingle(NamesOf(id)) && options.Containers(id) is [var user, ..])
        {
            throw StoreException.Conflict($"conflict: unable to remove repository reference \"{reference.FamiliarString}\" (must force) - "
                + $"container {Short(user.ContainerId)} is using its referenced image {id.Short}");
        }

        var name = reference.Digest is { } digest ? reference.WithDigest(digest) : reference;
        Untag(name, records);
        var rest = NamesOf(id);

        // Digests of a repository go with its last tag.
        if (name.Tag is not null && !rest.Exists(n => n.Tag is not null && n.Name == name.Name))
        {
            foreach (var canonical in rest.Where(n => n.Name == name.Name).ToList())
            {
                Untag(canonical, records);
                rest.Remove(canonical);
            }
        }

        return rest.Count == 0;
    }

    /// <summary>By ID: the only name goes along; several names stop the deletion later, unless it is forced.</summary>
    private bool UntagById(Digest id, RemoveOptions options, List<RemovedImage> records)
    {
        var names = NamesOf(id);
        if (IsSingle(names))
        {
            if (Conflict(id, options, soft: !options.Force, names: false) is { } conflict)
            {
                throw conflict.Error;
            }

            names.ForEach(n => Untag(n, records));
        }

        return true;
    }

    /// <param name="quiet">A name was given: that something else still needs the image is then no error.</param>
    private void Delete(Digest id, RemoveOptions options, bool force, bool quiet, List<RemovedImage> records)
    {
        for (Digest? next = id; next is { } current; (force, quiet) = (false, true))
        {
            if (Conflict(current, options, soft: !force, names: !force) is { } conflict)
            {
                return quiet && (NamesOf(current).Count > 0 || conflict.IsUse || current != id || ChildIds(current).Count > 0) ? default(bool) ? throw conflict.Error : 0 : throw conflict.Error;
            }
        }
    }
}
