using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Sampan.Oci;

/// <summary>The identity of a stack of layers: the digest that covers a layer's content and everything below it (image-spec, config.md, "Layer ChainID").</summary>
/// <param name="Digest">For the lowest layer its DiffID, above it sha256("parent's chain ID" + " " + "DiffID").</param>
public readonly record struct ChainId(Digest Digest)
{
    /// <summary>The chain ID of a stack, lowest layer first; null when there is no layer.</summary>
    public static ChainId? Of(IEnumerable<Digest> diffIds)
    {
        ChainId? chain = null;
        foreach (var diffId in diffIds)
        {
            chain = Extend(chain, diffId);
        }

        return chain;
    }

    /// <summary>The chain ID after one more layer on top.</summary>
    public static ChainId Extend(ChainId? parent, Digest diffId) =>
        parent is null ? new ChainId(diffId) : new ChainId(Digest.OfSha256(Encoding.ASCII.GetBytes($"{parent} {diffId}")));

    /// <summary>Reads <c>algorithm:hex</c>.</summary>
    /// <exception cref="FormatException">The text is not a digest.</exception>
    public static ChainId Parse(string text) => new(Digest.Parse(text));

    /// <summary>Reads <c>algorithm:hex</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ChainId chainId)
    {
        var valid = Digest.TryParse(text, out var digest);
        chainId = new ChainId(digest);
        return valid;
    }

    /// <summary><c>algorithm:hex</c>.</summary>
    public override string ToString() => Digest.ToString();
}
