namespace Sampan.Api;

/// <summary>The server answered with an error.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="message">The <c>message</c> of the answer's body.</param>
public sealed class ApiException(int status, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;
}

/// <summary>No server could be reached.</summary>
public sealed class ApiConnectionException(string message, Exception? cause = null) : Exception(message, cause);
