namespace Sampan.Tests.Unit;

/// <summary>The public test vectors and specifications, which are in a folder beside the repository.</summary>
internal static class Conformance
{
    /// <summary>The path of a file or folder of them, as <c>seccomp/default.json</c>.</summary>
    /// <exception cref="DirectoryNotFoundException">They are not there.</exception>
    public static string Path(string name)
    {
        for (var directory = AppContext.BaseDirectory; directory is not null; directory = System.IO.Path.GetDirectoryName(directory))
        {
            var folder = System.IO.Path.Combine(directory, "..", "shared", "conformance");
            if (Directory.Exists(folder))
            {
                return System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, name));
            }
        }

        throw new DirectoryNotFoundException("no ../shared/conformance beside the repository");
    }
}
