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
        var users = Ask(Resolve(nameOrId).Id, options.Containers);
        var removed = _database.Transaction(() =>
        {
            var records = new List<RemovedImage>();
            var image = Resolve(nameOrId);
            var isById = image.Id.ToString().StartsWith(nameOrId, StringComparison.Ordinal) || image.Id.Hex.StartsWith(nameOrId, StringComparison.Ordinal);
            if (isById)
            {
                UntagById(image.Id, users, options.Force, records);
            }

            if (isById || UntagByName(image.Id, nameOrId, users, options.Force, records))
            {
                Delete(image.Id, users, options.NoPrune, options.Force, quiet: !isById, records);
            }

            return records;
        });
        return Clean(removed);
    }

    /// <summary>Deletes the images that have no name (with <paramref name="all"/> also those that have), as far as nothing stands in the way.</summary>
    /// <param name="filter">Which of them.</param>
    /// <param name="containers">Names the containers that use an image.</param>
    /// <returns>What happened, and the bytes of the layers that went.</returns>
    public (IReadOnlyList<RemovedImage> Removed, long SpaceReclaimed) Prune(bool all, Func<ImageRecord, bool> filter, Func<Digest, IReadOnlyList<ImageUser>> containers)
    {
        var chosen = List().Where(i => (all || i.IsDangling) && filter(i)).Select(i => (i.Id, Users: Ask(i.Id, containers))).ToList();
        var before = _layers.List().Sum(l => l.Size);
        var removed = _database.Transaction(() =>
        {
            var records = new List<RemovedImage>();
            int count;
            do
            {
                // A parent goes after its children, whichever is older (a build's dates are those of its input); a parent of one that stays, stays.
                count = records.Count;
                foreach (var (id, users) in chosen)
                {
                    if (users.Of(id).Count == 0 && Get(id) is not null && ChildIds(id).Count == 0)
                    {
                        Delete(id, users, noPrune: false, force: true, quiet: true, records);
                    }
                }
            }
            while (records.Count > count);

            return records;
        });
        return (Clean(removed), before - _layers.List().Sum(l => l.Size));
    }

    /// <summary>Asks for the users of an image and of all it was built on.</summary>
    private Users Ask(Digest id, Func<Digest, IReadOnlyList<ImageUser>> containers)
    {
        var users = new Users(containers);
        for (Digest? next = id; next is { } current; next = ParentOf(current))
        {
            users.Ask(current);
        }

        return users;
    }

    /// <summary>After the transaction: the blobs and layers that nothing refers to any more.</summary>
    private List<RemovedImage> Clean(List<RemovedImage> removed)
    {
        var deleted = removed.Where(r => r.Deleted is not null).ToList();
        lock (_putting)
        {
            // One that was put again meanwhile needs its blob.
            var kept = deleted.Count > 0 ? KeptBlobs() : [];
            foreach (var id in deleted.Select(r => Digest.Parse(r.Deleted!)).Where(id => !Contains(id) && !kept.Contains(id)))
            {
                _configs.TryRemove(id, out _);
                _blobs.Delete(id);
            }
        }

        if (deleted.Count > 0)
        {
            removed.AddRange(_layers.Collect().Select(l => new RemovedImage(null, l.ChainId.ToString())));
        }

        return removed;
    }

    /// <summary>Runs what looks at, claims and puts content (<see cref="KeptBlobs"/>), while no removal takes any.</summary>
    internal T WithoutSweep<T>(Func<T> work)
    {
        lock (_putting)
        {
            return work();
        }
    }

    /// <summary>Removes the blobs that no image has, which a daemon left that was killed between a blob and its row. Gives their bytes.</summary>
    internal long Sweep()
    {
        lock (_putting)
        {
            return _blobs.Sweep([.. KeptBlobs().Concat(Ids()).Select(id => id.Hex)]);
        }
    }

    /// <summary>Blobs that no image has, at one moment.</summary>
    internal List<Digest> LooseBlobs()
    {
        lock (_putting)
        {
            return [.. _blobs.List().Except(KeptBlobs()).Except(Ids())];
        }
    }

    /// <summary>Forgets a damaged image and its names; its blob and layers go with the next sweep.</summary>
    internal void Forget(Digest id)
    {
        _database.Transaction(() =>
        {
            _database.Execute("DELETE FROM names WHERE image = $1", id.ToString());
            _database.Execute("DELETE FROM images WHERE id = $1", id.ToString());
        });
        _configs.TryRemove(id, out _);
    }

    /// <summary>The familiar names of an image.</summary>
    internal IEnumerable<string> FamiliarNames(Digest id) => NamesOf(id).Select(n => n.FamiliarString);

    private bool Contains(Digest id) => _database.Query("SELECT 1 FROM images WHERE id = $1", _ => true, id.ToString()).Count > 0;

    /// <summary>By name: that name goes. True when it was the last, so that the image is to follow.</summary>
    private bool UntagByName(Digest id, string typed, Users users, bool force, List<RemovedImage> records)
    {
        // The last name of an image that a container uses stays, or the image would be left without one.
        if (!force && IsSingle(NamesOf(id)) && users.Of(id) is [var user, ..])
        {
            throw StoreException.Conflict($"conflict: unable to remove repository reference \"{typed}\" (must force) - "
                + $"container {Short(user.ContainerId)} is using its referenced image {id.Short}");
        }

        var reference = ImageReference.Parse(typed);
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
    private void UntagById(Digest id, Users users, bool force, List<RemovedImage> records)
    {
        var names = NamesOf(id);
        if (IsSingle(names))
        {
            if (Conflict(id, users, soft: !force, names: false) is { } conflict)
            {
                throw conflict.Error;
            }

            names.ForEach(n => Untag(n, records));
        }
    }

    /// <summary>Deletes an image, then its parents as long as nothing else needs them.</summary>
    /// <param name="quiet">A name was given: that something else still needs the image is then no error.</param>
    private void Delete(Digest id, Users users, bool noPrune, bool force, bool quiet, List<RemovedImage> records)
    {
        for (Digest? next = id; next is { } current; (force, quiet) = (false, true))
        {
            if (Conflict(current, users, soft: !force, names: !force) is { } conflict)
            {
                var isDangling = NamesOf(current).Count == 0 && ChildIds(current).Count == 0;
                if (quiet && (!isDangling || conflict.IsUse))
                {
                    return;
                }

                throw conflict.Error;
            }

            NamesOf(current).ForEach(n => Untag(n, records));
            next = noPrune ? null : ParentOf(current);
            _database.Execute("DELETE FROM images WHERE id = $1", current.ToString());
            records.Add(new RemovedImage(null, current.ToString()));
        }
    }

    /// <summary>What stands in the way of a deletion; soft obstacles are those that force overcomes.</summary>
    private (StoreException Error, bool IsUse)? Conflict(Digest id, Users users, bool soft, bool names)
    {
        (StoreException, bool) Because(string message, bool hard, bool isUse) => (StoreException.Conflict(
            $"conflict: unable to delete {id.Short} ({(hard ? "cannot" : "must")} be forced) - {message}"), isUse);
        if (ChildIds(id).Count > 0)
        {
            return Because("image has dependent child images", hard: true, isUse: false);
        }

        var containers = users.Of(id);
        if (containers.FirstOrDefault(c => c.Running) is { } running)
        {
            return Because($"image is being used by running container {Short(running.ContainerId)}", hard: true, isUse: true);
        }

        if (names && NamesOf(id).Count > 0)
        {
            return Because("image is referenced in multiple repositories", hard: false, isUse: false);
        }

        return soft && containers.FirstOrDefault() is { } stopped
            ? Because($"image is being used by stopped container {Short(stopped.ContainerId)}", hard: false, isUse: true) : null;
    }

    /// <summary>True when the names are one tag at most, and digests of the same repository.</summary>
    private static bool IsSingle(List<ImageReference> names) =>
        names.Count <= 1 || (names.Count(n => n.Tag is not null) <= 1 && names.Select(n => n.Name).Distinct().Count() == 1);

    private void Untag(ImageReference name, List<RemovedImage> records)
    {
        if (Untag(name))
        {
            records.Add(new RemovedImage(name.FamiliarString, null));
        }
    }

    /// <summary>The parent, when it is here.</summary>
    private Digest? ParentOf(Digest id)
    {
        var rows = _database.Query("SELECT p.id FROM images i JOIN images p ON p.id = i.parent WHERE i.id = $1", r => Digest.Parse(r.GetString(0)), id.ToString());
        return rows.Count > 0 ? rows[0] : null;
    }

    private static string Short(string id) => id.Length > 12 ? id[..12] : id;

    /// <summary>
    /// Who uses an image, asked before the transaction begins: the engine answers under a lock of its own, which it may hold while it waits for
    /// the database.
    /// </summary>
    private sealed class Users(Func<Digest, IReadOnlyList<ImageUser>> ask)
    {
        private readonly Dictionary<Digest, IReadOnlyList<ImageUser>> _answers = [];

        public void Ask(Digest id) => _answers.TryAdd(id, ask(id));

        /// <summary>An image that came into play since counts as used.</summary>
        public IReadOnlyList<ImageUser> Of(Digest id) => _answers.TryGetValue(id, out var users) ? users : [new ImageUser("unknown", Running: true)];
    }
}
