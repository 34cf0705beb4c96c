namespace Sampan.Network;

/// <summary>What kind of trouble a network operation met; the callers' choice of status depends on it, never on the text.</summary>
public enum NetworkErrorKind
{
    /// <summary>No address or address pool is left.</summary>
    Exhausted,

    /// <summary>An address, name or port is somebody else's already.</summary>
    Conflict,

    /// <summary>A value makes no sense: an address outside its subnet, a name too long.</summary>
    InvalidParameter,
}

/// <summary>
/// A network operation cannot be done for a reason the user can change. Refusals of the kernel are NetlinkException, SyscallException or
/// NftablesException.
/// </summary>
/// <param name="kind">The class of the error.</param>
/// <param name="message">The reason in one line.</param>
public sealed class NetworkException(NetworkErrorKind kind, string message) : Exception(message)
{
    /// <summary>The class of the error.</summary>
    public NetworkErrorKind Kind { get; } = kind;
}
