using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>A content digest: an algorithm and the lower-case hex of its hash, as in <c>sha256:6c3c…</c> (image-spec, descriptor.md).</summary>
/// <param name="Algorithm">The registered algorithm: <c>sha256</c>, <c>sha384</c> or <c>sha512</c>.</param>
/// <param name="Hex">The hash in lower-case hex, exactly as long as the algorithm's.</param>
[JsonConverter(typeof(DigestConverter))]
public readonly record struct Digest(string Algorithm, string Hex)
{
    /// <summary>Reads <c>algorithm:hex</c>.</summary>
    /// <exception cref="FormatException">The text is not a digest, or its algorithm is not one we can compute.</exception>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest) ? digest : throw new FormatException($"invalid digest \"{Quote.Clip(text)}\"");

    /// <summary>Reads <c>algorithm:hex</c> of a known algorithm.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        digest = default;
        var colon = text?.IndexOf(':') ?? -1;
        if (colon < 0 || HexLength(text.AsSpan(0, colon)) != text!.Length - colon - 1
            || text.AsSpan(colon + 1).ContainsAnyExcept("0123456789abcdef"))
        {
            return false;
        }

        digest = new Digest(text[..colon], text[(colon + 1)..]);
        return true;
    }

    /// <summary>The SHA-256 digest of bytes.</summary>
    public static Digest OfSha256(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(content, hash);
        return FromSha256(hash);
    }

    /// <summary>The digest whose SHA-256 hash is already known.</summary>
    public static Digest FromSha256(ReadOnlySpan<byte> hash) => new("sha256", Convert.ToHexStringLower(hash));

    /// <summary>The first twelve digits, as lists show them.</summary>
    public string Short => Hex[..12];

    /// <summary><c>algorithm:hex</c>.</summary>
    public override string ToString() => $"{Algorithm}:{Hex}";

    private static int HexLength(ReadOnlySpan<char> algorithm) => algorithm switch
    {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => -1,
    };
}

/// <summary>Digests are strings in JSON.</summary>
public sealed class DigestConverter : JsonConverter<Digest>
{
    public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Digest.TryParse(reader.GetString(), out var digest) ? digest : throw new JsonException($"invalid digest \"{Quote.Clip(reader.GetString() ?? "")}\"");

    public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

/// <summary>Text from outside, cut so that a message stays one readable line.</summary>
internal static class Quote
{
    private const int Limit = 200;

    public static string Clip(string text)
    {
        var cut = text.Length > Limit ? text[..Limit] + "…" : text;
        return string.Concat(cut.Select(c => char.IsControl(c) ? $"\\x{(int)c:x2}" : c.ToString()));
    }
}
