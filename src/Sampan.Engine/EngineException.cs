namespace Sampan.Engine;

/// <summary>Why an operation was refused; the daemon turns each kind into one HTTP status, in one place.</summary>
public enum ErrorKind
{
    /// <summary>The request is malformed or asks for what cannot be (400).</summary>
    InvalidParameter,

    /// <summary>No such container, image, exec, volume or network (404).</summary>
    NotFound,

    /// <summary>The thing is in a state, or in use, so that the request cannot be done now (409).</summary>
    Conflict,

    /// <summary>Nothing had to be done: already started, already stopped (304).</summary>
    NotModified,

    /// <summary>A registry does not accept the credentials (401).</summary>
    Unauthorized,

    /// <summary>The daemon refuses by policy (403).</summary>
    Forbidden,

    /// <summary>Sampan does not have this (501).</summary>
    NotImplemented,

    /// <summary>Something under the engine failed (500).</summary>
    System,
}

/// <summary>An operation failed in a way the user is told about, with the words for it.</summary>
public sealed class EngineException(ErrorKind kind, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The class of the error.</summary>
    public ErrorKind Kind { get; } = kind;

    /// <summary>The class of an error that a room below the engine threw; what none of them means to say to a user is System.</summary>
    public static ErrorKind KindOf(Exception e) => e switch
    {
        EngineException engine => engine.Kind,
        Store.StoreException store => store.Kind switch
        {
            Store.StoreErrorKind.NotFound => ErrorKind.NotFound,
            Store.StoreErrorKind.Conflict => ErrorKind.Conflict,
            Store.StoreErrorKind.InvalidInput or Store.StoreErrorKind.Mismatch => ErrorKind.InvalidParameter,
            _ => ErrorKind.System,
        },
        Registry.RegistryException registry => registry.Kind switch
        {
            Registry.RegistryErrorKind.NotFound or Registry.RegistryErrorKind.Denied => ErrorKind.NotFound,
            Registry.RegistryErrorKind.Unauthorized => ErrorKind.Unauthorized,
            Registry.RegistryErrorKind.InvalidRequest => ErrorKind.InvalidParameter,
            _ => ErrorKind.System,
        },
        Build.BuildException { InnerException: (EngineException or Build.BuildException) and var inner } => KindOf(inner),
        Build.BuildException build => build.Kind switch
        {
            Build.BuildErrorKind.NotFound => ErrorKind.NotFound,
            Build.BuildErrorKind.NotSupported => ErrorKind.NotImplemented,
            _ => ErrorKind.InvalidParameter,
        },
        Network.NetworkException { Kind: Network.NetworkErrorKind.Conflict } => ErrorKind.Forbidden,
        Network.NetworkException { Kind: Network.NetworkErrorKind.InvalidParameter } => ErrorKind.InvalidParameter,
        FormatException or Runtime.UserNotFoundException => ErrorKind.InvalidParameter,
        Runtime.CgroupException => ErrorKind.InvalidParameter,
        _ => ErrorKind.System,
    };

    internal static EngineException NotFound(string message) => new(ErrorKind.NotFound, message);

    internal static EngineException Conflict(string message) => new(ErrorKind.Conflict, message);

    internal static EngineException Invalid(string message) => new(ErrorKind.InvalidParameter, message);

    internal static EngineException NotModified() => new(ErrorKind.NotModified, "");
}
