using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>Questions about a Dockerfile that build nothing (<c>buildx build --call</c>).</summary>
internal sealed class Questions
{
    private readonly string _name;

    private Questions(string name) => _name = name;

    /// <summary>The question that a request asks; null when it asks for a build.</summary>
    public static Questions? Of(FrontendRequest request) => request.Attributes.GetValueOrDefault("requestid") is { Length: > 0 } name ? new(name) : null;

    public Task<SolveResult> AnswerAsync(IEngine engine, ClientSession session, CancellationToken cancel) =>
        throw new GrpcException(GrpcCode.Unimplemented, $"unsupported request {_name}");
}
