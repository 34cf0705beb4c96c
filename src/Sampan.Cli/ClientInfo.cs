namespace Sampan.Cli;

/// <summary>What the client says about itself.</summary>
internal static class ClientInfo
{
    public const string Version = "0.1.0";
}
