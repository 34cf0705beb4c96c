using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>What a build may ask of a session's client: secrets, agents and credentials.</summary>
internal sealed class SessionClient(ClientSession session) : IBuildClient
{
    private const string Secret = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
    private const string CheckAgent = "/moby.sshforward.v1.SSH/CheckAgent";
    private const string ForwardAgent = "/moby.sshforward.v1.SSH/ForwardAgent";
    private const string Credentials = "/moby.filesync.v1.Auth/Credentials";

    /// <summary>As with BuildKit: a secret is a word or a key, not a file system.</summary>
    private const int MaxSecretBytes = 500 * 1024;

    private const int CarryBytes = 32 * 1024;

    public async Task<byte[]?> SecretAsync(string id, CancellationToken cancel)
    {
        if (await TryAsync(Secret, new ProtoWriter().String(1, id), cancel) is not { } answer)
        {
            return null;
        }

        var value = Chunk.Parse(answer);
        return value.Length <= MaxSecretBytes ? value
            : throw new ApiException(400, $"secret '{id}' has more than the {MaxSecretBytes:N0} bytes that it may have");
    }

    public async Task<bool> HasAgentAsync(string id, CancellationToken cancel)
    {
        try
        {
            return await TryAsync(CheckAgent, new ProtoWriter().String(1, id), cancel) is not null;
        }
        catch (GrpcException e) when (e.Code is GrpcCode.Unknown)
        {
            return false; // buildx says "unset ssh forward key" so
        }
    }

    public async Task ForwardAgentAsync(string id, Stream program, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await using var call = session.Open(ForwardAgent, stop.Token, ("buildkit.ssh.id", id));
        var there = ToAgentAsync();
        try
        {
            while (await call.ReadAsync() is { } message)
            {
                await program.WriteAsync(Chunk.Parse(message), stop.Token);
            }
        }
        catch (GrpcException)
        {
            // The program sees the end of its connection, which is what an agent that fails looks like.
        }
        finally
        {
            await stop.CancelAsync();
            await there;
        }

        async Task ToAgentAsync()
        {
            var buffer = new byte[CarryBytes];
            try
            {
                for (int count; (count = await program.ReadAsync(buffer, stop.Token)) > 0;)
                {
                    await call.WriteAsync(Chunk.Of(buffer.AsSpan(0, count)));
                }

                await call.CompleteAsync();
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The other direction has ended.
            }
        }
    }

    public async Task<AuthConfig?> CredentialsAsync(string registry, CancellationToken cancel)
    {
        // The name under which Docker's clients keep the credentials for Docker's registry is that of its machine.
        var host = registry == "docker.io" ? "registry-1.docker.io" : registry;
        if (await TryAsync(Credentials, new ProtoWriter().String(1, host), cancel) is not { } answer)
        {
            return null;
        }

        var (user, secret) = (Text(answer, 1), Text(answer, 2));

        // A secret without a user is a token that stands for one.
        return secret.Length == 0 ? null : user.Length == 0 ? new AuthConfig { IdentityToken = secret } : new AuthConfig { Username = user, Password = secret };
    }

    /// <summary>A call's answer; null when the client does not serve it, or has nothing of this name.</summary>
    private async Task<byte[]?> TryAsync(string method, ProtoWriter request, CancellationToken cancel)
    {
        if (!session.Methods.Contains(method))
        {
            return null;
        }

        try
        {
            return await session.CallAsync(method, request.Written, cancel);
        }
        catch (GrpcException e) when (e.Code is GrpcCode.NotFound or GrpcCode.Unimplemented)
        {
            return null;
        }
    }

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> message, int number)
    {
        var reader = new ProtoReader(message);
        ReadOnlySpan<byte> value = [];
        while (reader.Next())
        {
            value = reader.Field == number ? reader.Bytes() : value;
        }

        return value;
    }

    private static string Text(ReadOnlySpan<byte> message, int number) => System.Text.Encoding.UTF8.GetString(Field(message, number));
}
