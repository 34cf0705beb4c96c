using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>Which manifest of an index runs on a platform: the closest variant that is not newer, as containerd chooses.</summary>
internal static class PlatformChoice
{
    private const int OtherArchitecture = 100;

    /// <summary>The best manifest; null when none will do.</summary>
    public static Descriptor? Best(IEnumerable<Descriptor> manifests, Platform wanted) =>
        manifests.Where(m => RankOf(m, wanted) is not null).MinBy(m => RankOf(m, wanted));

    /// <summary>How far a platform is from the wanted one: 0 is the same; null when it cannot serve.</summary>
    public static int? Rank(Platform wanted, Platform offered)
    {
        if (wanted.Os != offered.Os)
        {
            return null;
        }

        // An older processor's programs run, too: 32 bit ARM on arm64, 386 on amd64.
        var other = (wanted.Architecture, offered.Architecture) is ("arm64", "arm") or ("amd64", "386") ? OtherArchitecture : 0;
        if (wanted.Architecture != offered.Architecture && other == 0)
        {
            return null;
        }

        if (offered.Architecture == "386")
        {
            return other;
        }

        return Variant(wanted) is { } newest && Variant(offered) is { } variant ? variant <= newest ? other + newest - variant : null
            : (wanted.Variant ?? "") == (offered.Variant ?? "") ? 0 : null;
    }

    private static int? RankOf(Descriptor manifest, Platform wanted) => manifest.Platform is { } platform ? Rank(wanted, platform) : null;

    /// <summary>The number of a variant; null when it has none.</summary>
    private static int? Variant(Platform platform) => (platform.Architecture, platform.Variant) switch
    {
        ("amd64", null or "") => 1,
        ("arm64", null or "") => 8,
        ("arm", null or "") => 7,
        (_, ['v', var digit]) when char.IsAsciiDigit(digit) => digit - '0',
        _ => null,
    };
}
