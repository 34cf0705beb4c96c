using System.Text;
using Sampan.Daemon.Buildkit.Wire;
using Sampan.Linux;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>
/// The files of a kept copy of a client's directory, held against what the client has now. A file is the same when all its attributes are:
/// size, time, mode, owner, links, extended attributes. That of a file which was changed right before it was sent says nothing, as another
/// change may have come in the same tick of the clock.
/// </summary>
internal sealed class KnownFiles
{
    private const int Sure = 1, Unsure = 2; // fields of the record

    private readonly List<(FileEntry Entry, bool IsSure)> _before = [];
    private readonly List<FileEntry> _now = [];
    private readonly Action<IEnumerable<byte[]>> _remove;
    private readonly DateTimeOffset _since;

    /// <param name="record">What <see cref="ToBytes"/> gave the last time; empty for nothing.</param>
    /// <param name="remove">Takes files out of the copy.</param>
    /// <param name="since">When the transfer begins.</param>
    /// <exception cref="FormatException">The record is damaged.</exception>
    public KnownFiles(ReadOnlySpan<byte> record, Action<IEnumerable<byte[]>> remove, DateTimeOffset since)
    {
        (_remove, _since) = (remove, since);
        var reader = new ProtoReader(record);
        while (reader.Next())
        {
            var isSure = reader.Field == Sure;
            _before.Add((FileEntry.Parse(reader.Bytes()), isSure));
        }
    }

    public bool IsEmpty => _before.Count == 0;

    /// <summary>Bytes of the client's files.</summary>
    public long TotalBytes => _now.Where(entry => entry.IsRegular).Sum(entry => entry.Size);

    /// <summary>The client has this.</summary>
    public void Add(FileEntry entry) => _now.Add(entry);

    /// <summary>
    /// When the client has told all: removes what it does not have any more, and gives the numbers of the entries that are as they were.
    /// A directory in which anything changes is none of them, so that its time is set again.
    /// </summary>
    public IReadOnlySet<int> Compare()
    {
        var before = _before.ToDictionary(known => known.Entry.Path);
        var now = new Dictionary<string, int>(_now.Count);
        var same = new HashSet<int>();
        var touched = new HashSet<string>();
        for (var i = 0; i < _now.Count; i++)
        {
            var entry = _now[i];
            now.Add(entry.Path, i);
            var linked = entry.IsRegular && entry.Link.Length > 0 ? now.GetValueOrDefault(entry.Link, -1) : -1;
            if (before.TryGetValue(entry.Path, out var known) && known.IsSure && IsSame(known.Entry, entry)
                && (linked < 0 || same.Contains(linked)))
            {
                same.Add(i);
            }
            else
            {
                touched.Add(Parent(entry.Path));
            }
        }

        // What is below something that is no directory any more goes with it.
        var gone = _before.Select(known => known.Entry.Path).Where(path => !now.ContainsKey(path)
            && (Parent(path) is "" || (now.TryGetValue(Parent(path), out var parent) && _now[parent].IsDirectory))).ToList();
        touched.UnionWith(gone.Select(Parent));
        same.ExceptWith(touched.Where(now.ContainsKey).Select(path => now[path]));
        _remove(gone.Select(Encoding.Latin1.GetBytes));
        return same;
    }

    /// <summary>The record for the next time.</summary>
    public ReadOnlyMemory<byte> ToBytes()
    {
        var writer = new ProtoWriter();
        foreach (var entry in _now)
        {
            writer.Message(entry.IsRegular && !ModifiedAt(entry).IsSettled(_since) ? Unsure : Sure, entry.Write);
        }

        return writer.Written;
    }

    private static FileTime ModifiedAt(FileEntry entry)
    {
        var seconds = Math.DivRem(entry.ModifiedNanoseconds, 1_000_000_000, out var rest);
        return rest < 0 ? new(seconds - 1, (uint)(rest + 1_000_000_000)) : new(seconds, (uint)rest);
    }

    private static string Parent(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];

    private static bool IsSame(FileEntry a, FileEntry b) =>
        (a.Mode, a.Uid, a.Gid, a.ModifiedNanoseconds, a.Link, a.DeviceMajor, a.DeviceMinor)
            == (b.Mode, b.Uid, b.Gid, b.ModifiedNanoseconds, b.Link, b.DeviceMajor, b.DeviceMinor)
        && (!a.IsRegular || a.Size == b.Size)
        && a.Xattrs.Count == b.Xattrs.Count
        && a.Xattrs.All(xattr => b.Xattrs.TryGetValue(xattr.Key, out var value) && value.AsSpan().SequenceEqual(xattr.Value));
}
