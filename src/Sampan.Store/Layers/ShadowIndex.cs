using System.Text;
using Sampan.Linux;

namespace Sampan.Store;

/// <summary>
/// An archive may hold a path twice. The last one is what the layer has, but the tar needs the others' contents too: what an entry replaces is
/// moved to <c>shadow/N</c> beside <c>diff/</c>, and this index (<c>shadow/index</c>, lines of "files before, N, path in base64") tells where
/// the content of an earlier FILE operation went. Most layers have none.
/// </summary>
internal sealed class ShadowIndex
{
    private readonly Dictionary<string, List<(long FilesBefore, int Number)>> _moves = [];

    /// <summary>Reads a layer's index; null when it has none.</summary>
    public static ShadowIndex? Read(string layerDirectory)
    {
        var path = PathOf(layerDirectory);
        if (!File.Exists(path))
        {
            return null;
        }

        var index = new ShadowIndex();
        foreach (var line in File.ReadLines(path))
        {
            var parts = line.Split(' ');
            var key = Key(Convert.FromBase64String(parts[2]));
            if (!index._moves.TryGetValue(key, out var moves))
            {
                index._moves.Add(key, moves = []);
            }

            moves.Add((long.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture)));
        }

        return index;
    }

    /// <summary>Where the content of a FILE operation is now, relative to the layer's directory.</summary>
    /// <param name="path">As the operation has it.</param>
    /// <param name="number">How many FILE operations came before it.</param>
    public byte[] Locate(ReadOnlySpan<byte> path, long number)
    {
        // The earliest move after it of the file or a directory above it: what is in shadow/ never moves again.
        var (best, shadow, end) = (long.MaxValue, -1, path.Length);
        for (var length = path.Length; length > 0; length = Math.Max(0, path[..length].LastIndexOf((byte)'/')))
        {
            if (!_moves.TryGetValue(Key(path[..length]), out var moves))
            {
                continue;
            }

            foreach (var move in moves)
            {
                if (move.FilesBefore > number && (move.FilesBefore < best || (move.FilesBefore == best && move.Number < shadow)))
                {
                    (best, shadow, end) = (move.FilesBefore, move.Number, length);
                }
            }
        }

        return shadow < 0 ? EntryPath.Join("diff"u8, path) : [.. Bytes.FromText($"shadow/{shadow}"), .. path[end..]];
    }

    private static string PathOf(string layerDirectory) => Path.Combine(layerDirectory, "shadow", "index");

    private static string Key(ReadOnlySpan<byte> path) => Encoding.Latin1.GetString(path);

    /// <summary>Collects what an unpacking replaces.</summary>
    internal sealed class Writer(string layerDirectory) : IDisposable
    {
        private int _shadow = -1;
        private int _count;
        private StreamWriter? _index;

        /// <summary>Moves what is at a name out of the way.</summary>
        /// <param name="parent">The open directory that has it.</param>
        /// <param name="path">Its real path below diff/.</param>
        /// <param name="filesBefore">FILE operations so far.</param>
        public void Take(int parent, ReadOnlySpan<byte> name, ReadOnlySpan<byte> path, long filesBefore)
        {
            if (_index is null)
            {
                var directory = Path.Combine(layerDirectory, "shadow");
                Directory.CreateDirectory(directory);
                _shadow = Sys.Open(directory, Sys.O_RDONLY | Sys.O_DIRECTORY);
                _index = new StreamWriter(PathOf(layerDirectory));
            }

            var errno = Sys.TryRenameAt(parent, name, _shadow, Bytes.FromText($"{_count}"));
            if (errno != 0)
            {
                throw new SyscallException("renameat", $"'{Bytes.ToText(path)}'", errno);
            }

            _index.Write($"{filesBefore} {_count} {Convert.ToBase64String(path)}\n");
            _count++;
        }

        public void Dispose()
        {
            _index?.Dispose();
            Sys.Close(_shadow);
        }
    }
}
