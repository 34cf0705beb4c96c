namespace Sampan.Api;

/// <summary>What this build is, as <c>version</c> tells it. The build writes it into the code: an attribute would cost every command 0.1 ms of reflection.</summary>
public static class Product
{
    /// <summary>The version without the revision: <c>0.1.0</c>.</summary>
    public static string Version { get; } = BuildInfo.InformationalVersion.Split('+', 2)[0];

    /// <summary>The first digits of the Git revision it was built from; empty outside a repository.</summary>
    public static string Commit { get; } = BuildInfo.InformationalVersion.Split('+', 2) is [_, var revision] ? revision[..Math.Min(7, revision.Length)] : "";
}
