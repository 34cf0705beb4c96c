namespace Sampan.Registry;

/// <summary>Why a registry did not give what was asked; the Engine's error classes follow from it.</summary>
public enum RegistryErrorKind
{
    /// <summary>The repository, manifest or blob is not there.</summary>
    NotFound,

    /// <summary>Credentials are missing or wrong.</summary>
    Unauthorized,

    /// <summary>The credentials do not suffice, or the repository is not there: registries do not tell which.</summary>
    Denied,

    /// <summary>The registry cannot be reached, refuses for now, or breaks off.</summary>
    Unavailable,

    /// <summary>The registry's answer cannot be used: it is malformed, too long, or of an unknown kind.</summary>
    InvalidAnswer,

    /// <summary>Content has another digest or size than its descriptor says.</summary>
    Mismatch,

    /// <summary>What was asked for cannot be: a platform that the image does not have, a term that is none.</summary>
    InvalidRequest,
}

/// <summary>An exchange with a registry failed. The message names the request or the layer, and the cause.</summary>
public sealed class RegistryException(RegistryErrorKind kind, string message, Exception? cause = null) : Exception(message, cause)
{
    public RegistryErrorKind Kind { get; } = kind;

    /// <summary>The registry's own words, as <c>denied: requested access to the resource is denied</c>; empty when it had none.</summary>
    public string Reason { get; init; } = "";
}
