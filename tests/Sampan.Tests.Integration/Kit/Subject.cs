namespace Sampan.Tests.Integration.Kit;

/// <summary>
/// The engine under test and the files the suite needs. The suite is written for Docker's behaviour, so it runs on two engines:
/// Sampan, and (SAMPAN_TEST_REFERENCE=dockerd) Debian's dockerd, which proves that the tests themselves are right.
/// </summary>
public static class Subject
{
    /// <summary>True when the suite runs against dockerd.</summary>
    public static bool IsReference { get; } = Environment.GetEnvironmentVariable("SAMPAN_TEST_REFERENCE") == "dockerd";

    /// <summary>The repository, or the folder that holds the suite in the virtual machine.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The binary under test.</summary>
    public static string Sampan { get; } = Environment.GetEnvironmentVariable("SAMPAN_BIN") ?? Path.Combine(Root, "out", "sampan");

    /// <summary>The folder with Debian's dockerd, containerd and runc, made by scripts/reference-docker.sh.</summary>
    public static string ReferenceBin { get; } = Path.Combine(Root, "out", "reference", "bin");

    /// <summary>The root of a Debian with a newer dockerd (scripts/reference-buildkit.sh), whose BuildKit the corpus is to be held against; null for none.</summary>
    public static string? BuildkitRoot { get; } = Environment.GetEnvironmentVariable("SAMPAN_TEST_BUILDKIT") is { Length: > 0 } root ? root : null;

    /// <summary>The folder with Debian's docker-registry, skopeo, podman and umoci, made by scripts/peers.sh.</summary>
    public static string PeersBin { get; } = Path.Combine(Root, "out", "peers", "bin");

    /// <summary>Docker's command line: the machine's own (28 in the field), or else the one beside Debian's dockerd.</summary>
    public static string Docker { get; } = FindDocker();

    /// <summary>The root file system that the tests import as <c>busybox:latest</c>.</summary>
    public static string Busybox { get; } =
        Environment.GetEnvironmentVariable("SAMPAN_TEST_BUSYBOX") ?? Path.Combine(Root, "out", "base", "busybox.tar");

    /// <summary>True when the machine's containers are limited by cgroup v2.</summary>
    public static bool IsCgroup2 { get; } = File.Exists("/sys/fs/cgroup/cgroup.controllers");

    private static string FindRoot()
    {
        if (Environment.GetEnvironmentVariable("SAMPAN_TEST_ROOT") is { } given)
            return given;
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Sampan.slnx")))
                return at.FullName;
        }
        throw new DirectoryNotFoundException($"no Sampan.slnx above '{AppContext.BaseDirectory}'");
    }

    private static string FindDocker()
    {
        if (Environment.GetEnvironmentVariable("SAMPAN_TEST_DOCKER") is { } given)
            return given;
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'))
        {
            if (File.Exists(Path.Combine(folder, "docker")))
                return Path.Combine(folder, "docker");
        }
        return Path.Combine(ReferenceBin, "docker");
    }
}
