using System.Runtime.InteropServices;

namespace Sampan.Cli;

/// <summary>What the client says about itself.</summary>
internal static class ClientInfo
{
    /// <summary>The processor's name as Go and the OCI spell it.</summary>
    public static string Architecture => RuntimeInformation.ProcessArchitecture switch
    {
        global::System.Runtime.InteropServices.Architecture.X64 => "amd64",
        global::System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
        var other => other.ToString().ToLowerInvariant(),
    };
}
