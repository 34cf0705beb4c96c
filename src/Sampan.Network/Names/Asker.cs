namespace Sampan.Network.Names;

/// <summary>A container as the resolver sees it: who it is, its sockets, and what it has under way.</summary>
internal sealed class Asker(NamedContainer container)
{
    /// <summary>How many questions of one container may wait for servers at a time.</summary>
    public const int PendingLimit = 256;

    /// <summary>How many connections one container may have.</summary>
    public const int ConnectionLimit = 32;

    public NamedContainer Container { get; set; } = container;

    public List<Source> Sockets { get; } = [];

    /// <summary>Oldest first.</summary>
    public List<TcpConnection> Connections { get; } = [];

    public int Pending { get; set; }

    public UpstreamGroup? Upstreams { get; set; }

    public int UpstreamsVersion { get; set; }
}

/// <summary>Where an answer goes.</summary>
internal interface IAnswerTo
{
    /// <param name="client">As the question came with.</param>
    void Answer(ReadOnlySpan<byte> message, ulong client);
}

/// <summary>A client that waits for a server's answer.</summary>
/// <param name="Id">The id and <paramref name="Question"/> the question as it wrote them.</param>
/// <param name="Limit">How long its answer may be.</param>
internal sealed record Waiter(Asker Asker, IAnswerTo To, ulong Client, ushort Id, byte[] Question, int Limit);
