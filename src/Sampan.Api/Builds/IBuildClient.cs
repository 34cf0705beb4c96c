namespace Sampan.Api;

/// <summary>A client that a build can ask while it runs (a BuildKit session). What it does not have is null.</summary>
public interface IBuildClient
{
    Task<byte[]?> SecretAsync(string id, CancellationToken cancel);

    /// <summary>Whether the client has an agent for ssh of this id.</summary>
    Task<bool> HasAgentAsync(string id, CancellationToken cancel);

    /// <summary>Carries bytes between a program that wants the agent and the agent, until one of them has had enough.</summary>
    Task ForwardAgentAsync(string id, Stream program, CancellationToken cancel);

    /// <summary>Credentials for a registry.</summary>
    /// <param name="registry">Its host and port; <c>docker.io</c> is Docker's.</param>
    Task<AuthConfig?> CredentialsAsync(string registry, CancellationToken cancel);
}
