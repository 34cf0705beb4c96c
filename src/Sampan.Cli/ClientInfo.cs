namespace Sampan.Cli;

/// <summary>What the client says about itself.</summary>
internal static class ClientInfo
{
    public const string Version = "0.1.0";

    /// <summary>The revision it was built from, where the build knows it.</summary>
    public const string Commit = "unknown";
}
