using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Sampan.Oci;

/// <summary>An operating system and processor, as <c>linux/arm64/v8</c> (image-spec, image-index.md).</summary>
public sealed record Platform
{
    [JsonPropertyName("architecture"), JsonPropertyOrder(0)]
    public string Architecture { get => field ?? ""; init; }

    [JsonPropertyName("os"), JsonPropertyOrder(1)]
    public string Os { get => field ?? ""; init; }

    [JsonPropertyName("os.version"), JsonPropertyOrder(2)]
    public string? OsVersion { get; init; }

    [JsonPropertyName("os.features"), JsonPropertyOrder(3)]
    public IReadOnlyList<string>? OsFeatures { get; init; }

    [JsonPropertyName("variant"), JsonPropertyOrder(4)]
    public string? Variant { get; init; }

    /// <summary>The platform this process runs on.</summary>
    public static Platform Current { get; } = Normalize(RuntimeInformation.ProcessArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "amd64",
        System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
        var other => other.ToString().ToLowerInvariant(),
    });

    /// <summary>Reads <c>os</c>, <c>arch</c>, <c>os/arch</c> or <c>os/arch/variant</c>; what is missing is this machine's.</summary>
    /// <exception cref="FormatException">A part is empty or holds another character than letters, digits, '_', '.', '-'.</exception>
    public static Platform Parse(string text)
    {
        var parts = text.Split('/');
        if (parts.Length > 3 || parts.Any(p => p.Length == 0 || !p.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')))
        {
            throw new FormatException($"\"{Quote.Clip(text)}\" is an invalid platform: expected os[/architecture[/variant]]");
        }

        var first = parts[0].ToLowerInvariant();
        if (parts.Length > 1)
        {
            var os = first == "macos" ? "darwin" : first;
            return Normalize(parts[1], parts.Length > 2 ? parts[2].ToLowerInvariant() : null) with { Os = os };
        }

        return first switch
        {
            "linux" or "windows" or "darwin" or "freebsd" => Current with { Os = first },
            _ when IsArchitecture(first) => Normalize(first),
            _ => throw new FormatException($"\"{Quote.Clip(text)}\": unknown operating system or architecture"),
        };
    }

    /// <summary>True when an image of this platform can stand where <paramref name="wanted"/> was asked for.</summary>
    public bool Satisfies(Platform wanted) =>
        Os == wanted.Os && Architecture == wanted.Architecture
        && (wanted.Variant is null || Effective(this) == Effective(wanted));

    /// <summary><c>os/architecture[/variant]</c>.</summary>
    public override string ToString() => string.IsNullOrEmpty(Variant) ? $"{Os}/{Architecture}" : $"{Os}/{Architecture}/{Variant}";

    private static string Effective(Platform platform) =>
        platform.Variant is { Length: > 0 } variant ? variant : platform.Architecture switch { "arm64" => "v8", "arm" => "v7", _ => "" };

    private static bool IsArchitecture(string name) => name is "amd64" or "x86_64" or "x86-64" or "386" or "i386" or "i686" or "arm64" or "aarch64" or "arm"
        or "armhf" or "armel" or "ppc64le" or "s390x" or "riscv64" or "mips64le" or "mips64" or "loong64";

    /// <summary>uname's and Debian's names become Go's, and a variant that is the default is left out.</summary>
    private static Platform Normalize(string architecture, string? variant = null)
    {
        var (name, kind) = (architecture.ToLowerInvariant(), variant) switch
        {
            ("x86_64" or "x86-64" or "amd64", "v1") => ("amd64", null),
            ("x86_64" or "x86-64", var v) => ("amd64", v),
            ("i386" or "i486" or "i586" or "i686", _) => ("386", null),
            ("aarch64" or "arm64", "8" or "v8") => ("arm64", null),
            ("aarch64", var v) => ("arm64", v),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            ("arm", "5" or "6" or "7" or "8") => ("arm", $"v{variant}"),
            var (a, v) => (a, v),
        };
        return new Platform { Os = "linux", Architecture = name, Variant = kind };
    }
}
