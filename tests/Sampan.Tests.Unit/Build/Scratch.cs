using System.Diagnostics.CodeAnalysis;
using Sampan.Linux;

namespace Sampan.Tests.Unit.Build;

/// <summary>A directory for one test, gone afterwards; and short ways to fill it and to look at it.</summary>
[SuppressMessage("Interoperability", "CA1416", Justification = "Sampan is for Linux")]
internal sealed class Scratch : IDisposable
{
    public Scratch()
    {
        Path = Directory.CreateTempSubdirectory("sampan-build-test-").FullName;
    }

    public string Path { get; }

    /// <summary>Makes a directory with files: <c>name=content</c>, <c>name/</c>, <c>name-&gt;target</c>, and <c>!name</c> for a whiteout.</summary>
    public string Tree(string name, params string[] entries)
    {
        var root = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(root);
        foreach (var entry in entries)
        {
            Make(root, entry);
        }

        return root;
    }

    public void Dispose()
    {
        foreach (var directory in Directory.EnumerateDirectories(Path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }).ToList())
        {
            File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        Directory.Delete(Path, recursive: true);
    }

    /// <summary>All there is in a directory, sorted: path, type, mode, owner and content or target.</summary>
    public static string[] List(string root)
    {
        return [.. Walk(root, "").Order(StringComparer.Ordinal)];
    }

    private static IEnumerable<string> Walk(string root, string path)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(root + path))
        {
            var inner = $"{path}/{System.IO.Path.GetFileName(entry)}";
            var stat = Sys.StatAt(root + inner);
            var about = $"{Convert.ToString(stat.Permissions, 8)} {stat.Uid}:{stat.Gid}";
            if (stat.IsDirectory)
            {
                yield return $"{inner}/ {about}";
                foreach (var below in Walk(root, inner))
                {
                    yield return below;
                }
            }
            else if (stat.IsSymlink)
            {
                yield return $"{inner} -> {new FileInfo(root + inner).LinkTarget}";
            }
            else
            {
                yield return $"{inner} {about} {(stat.IsRegular ? File.ReadAllText(root + inner) : $"{stat.Type:x}")}";
            }
        }
    }

    private static void Make(string root, string entry)
    {
        var name = entry.Split('=', 2)[0].Split("->", 2)[0].TrimStart('!');
        var path = System.IO.Path.Combine(root, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path.TrimEnd('/'))!);
        if (entry.StartsWith('!'))
        {
            Assert(Sys.TryMknodAt(Sys.AT_FDCWD, Bytes.FromText(path), FileStat.S_IFCHR, 0, 0));
        }
        else if (entry.EndsWith('/'))
        {
            Directory.CreateDirectory(path);
        }
        else if (entry.Contains("->", StringComparison.Ordinal))
        {
            File.Delete(path);
            File.CreateSymbolicLink(path, entry.Split("->", 2)[1]);
        }
        else
        {
            File.WriteAllText(path, entry.Split('=', 2)[1]);
            File.SetUnixFileMode(path, (UnixFileMode)0x1A4);
        }
    }

    private static void Assert(int errno) => Xunit.Assert.Equal(0, errno);
}
