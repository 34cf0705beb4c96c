using System.Text;
using Sampan.Build.Files;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;
using Sampan.Oci;

namespace Sampan.Build.Context;

/// <summary>The files a build may use, and which of them its ignore file leaves out.</summary>
internal sealed class BuildContext
{
    private const int MaxIgnoreFileBytes = 16 << 20;

    private BuildContext(MergedView view, IgnoreMatcher ignore, string? ignoreDigest, ReadOnlyMemory<byte> dockerfile)
    {
        View = view;
        Ignore = ignore;
        IgnoreDigest = ignoreDigest;
        Dockerfile = dockerfile;
    }

    public MergedView View { get; }

    public IgnoreMatcher Ignore { get; }

    /// <summary>The ignore file's digest; null when there is none.</summary>
    public string? IgnoreDigest { get; }

    /// <summary>The Dockerfile's bytes.</summary>
    public ReadOnlyMemory<byte> Dockerfile { get; }

    /// <summary>Opens a context: finds the Dockerfile, and the ignore file that belongs to it.</summary>
    /// <exception cref="BuildException">There is no Dockerfile.</exception>
    /// <exception cref="DockerfileException">The ignore file is malformed.</exception>
    public static BuildContext Open(BuildRequest request, FileDigests digests)
    {
        var view = new MergedView([request.ContextDirectory], isTimeless: true) { Digests = digests };
        var path = request.DockerfilePath;
        var dockerfile = request.Dockerfile ?? Read(view, path, DockerfileLimits.Default.MaxBytes, required: true);
        var own = request.Ignore is null ? Read(view, path + ".dockerignore", MaxIgnoreFileBytes, required: false) : null;
        var (name, rules) = request.Ignore is { } given ? (".dockerignore", given.IsEmpty ? null : given.ToArray())
            : own is not null ? (path + ".dockerignore", own)
            : (".dockerignore", Read(view, ".dockerignore", MaxIgnoreFileBytes, required: false));
        var ignore = rules is null ? IgnoreMatcher.None : IgnoreMatcher.Parse(Encoding.UTF8.GetString(rules), name);
        return new(view, ignore, rules is null ? null : Digest.OfSha256(rules).ToString(), dockerfile);
    }

    private static byte[]? Read(MergedView view, string path, int limit, bool required)
    {
        var node = view.Resolve(path).Node;
        if (node is not { Stat.IsRegular: true })
        {
            return !required ? null : throw new BuildException(
                BuildErrorKind.InvalidInput, node is null ? $"Cannot locate specified Dockerfile: {path}" : $"Dockerfile '{path}' is not a regular file");
        }

        return node.Stat.Size <= limit ? MergedView.ReadFile(node, limit)
            : throw new BuildException(BuildErrorKind.InvalidInput, $"'{path}' has {node.Stat.Size:N0} bytes, more than the {limit:N0} that it may have");
    }
}
