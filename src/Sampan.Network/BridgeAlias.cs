namespace Sampan.Network;

/// <summary>
/// Who owns an interface is written on it (IFLA_IFALIAS), so that a daemon finds its own after a crash and leaves the others':
/// <c>sampan:TAG</c>
/// on bridges, <c>sampan:TAG:SANDBOX</c> on containers' ends.
/// </summary>
internal static class BridgeAlias
{
    private const string Prefix = "sampan:";

    public static string OfBridge(string ownerTag) => Prefix + ownerTag;

    public static string OfPort(string ownerTag, string sandbox) => $"{Prefix}{ownerTag}:{sandbox}";

    /// <summary>The owner of a bridge, or null when it is none of Sampan's.</summary>
    public static string? OwnerOfBridge(string? alias) =>
        alias is not null && alias.StartsWith(Prefix, StringComparison.Ordinal) ? alias[Prefix.Length..] : null;

    public static string? SandboxOfPort(string? alias, string ownerTag)
    {
        var start = $"{Prefix}{ownerTag}:";
        return alias is not null && alias.StartsWith(start, StringComparison.Ordinal) ? alias[start.Length..] : null;
    }
}
