using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Network.Names;

/// <summary>A container whose names are looked up and who looks up names.</summary>
public sealed record NamedContainer
{
    /// <summary>The container's id.</summary>
    public required string Id { get; init; }

    /// <summary>Its places in networks that have names, in the order in which they are searched.</summary>
    public List<NamedEndpoint> Endpoints { get; init; } = [];

    /// <summary>The name servers for everything else; the host's when empty.</summary>
    public List<string> Servers { get; init; } = [];

    /// <summary>False when no network leads out: names that no neighbour has do not exist then.</summary>
    public bool Forwards { get; init; }

    /// <summary>The user has set ndots: names of one label stay here.</summary>
    public bool KeepsSingleLabels { get; init; }
}

/// <summary>A container's place in one network.</summary>
public sealed record NamedEndpoint
{
    /// <summary>The network's id.</summary>
    public required string NetworkId { get; init; }

    /// <summary>The network's name.</summary>
    public required string Network { get; init; }

    /// <summary>The IPv4 address, or null.</summary>
    public string? Address { get; init; }

    /// <summary>The IPv6 address, or null.</summary>
    public string? Address6 { get; init; }

    /// <summary>What it is called there; the first is the answer to reverse look-ups.</summary>
    public required List<string> Names { get; init; }

    /// <summary>What it alone calls others (<c>--link</c>): alias to a name of theirs.</summary>
    public Dictionary<string, string> Links { get; init; } = [];
}

/// <summary>
/// A packet between daemon and resolver, JSON. The resolver greets with <see cref="Holds"/>; from then on the daemon speaks, and the
/// resolver is silent. Sockets for a container's port 53, UDP and TCP, come along with the first <see cref="Put"/> of it.
/// </summary>
internal sealed record ResolverPacket
{
    /// <summary>The containers whose sockets the resolver has.</summary>
    public List<string>? Holds { get; init; }

    /// <summary>A container that is new, or has other networks or names than before.</summary>
    public NamedContainer? Put { get; init; }

    /// <summary>The id of a container that has ended; its sockets are closed.</summary>
    public string? Remove { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(ResolverPacket))]
internal sealed partial class ResolverJson : JsonSerializerContext
{
    public static byte[] Packet(ResolverPacket packet) => JsonSerializer.SerializeToUtf8Bytes(packet, Default.ResolverPacket);
}
