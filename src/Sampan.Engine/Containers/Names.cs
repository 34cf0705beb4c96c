using System.Security.Cryptography;

namespace Sampan.Engine.Containers;

/// <summary>Container names and ids: 64 hex digits for ids, two words for a container that was given no name.</summary>
internal static class Names
{
    private static readonly string[] Moods =
    [
        "able", "agile", "amber", "ample", "azure", "bold", "brave", "breezy", "bright", "brisk", "busy", "calm", "candid", "careful",
        "cheery", "clever", "cosy", "crisp", "curious", "daring", "deft", "eager", "early", "earnest", "easy", "fair", "fearless", "fleet",
        "fond", "frank", "fresh", "gentle", "glad", "golden", "grand", "happy", "hardy", "hearty", "honest", "humble", "jolly", "keen",
        "kind", "lively", "loyal", "lucid", "lucky", "mellow", "merry", "mighty", "modest", "neat", "nimble", "noble", "patient", "placid",
        "plucky", "polite", "proud", "quick", "quiet", "ready", "robust", "serene", "sharp", "shiny", "silent", "silver", "smart",
        "snug", "sober", "solid", "spry", "steady", "stout", "sturdy", "sunny", "swift", "tidy", "trusty", "upbeat", "vivid", "warm",
        "wise", "witty", "young", "zesty",
    ];

    private static readonly string[] Crew =
    [
        "albatross", "anchor", "barge", "beacon", "bollard", "boom", "bowline", "buoy", "capstan", "carrack", "cleat", "clipper", "compass",
        "coracle", "cormorant", "coxswain", "cutter", "dhow", "dolphin", "dory", "ferry", "fluke", "gaff", "galley", "gannet", "gull",
        "halyard", "harbour", "hawser", "heron", "hull", "jetty", "jib", "junk", "kayak", "keel", "kelp", "ketch", "lagoon", "lantern",
        "lateen", "lugger", "mast", "mizzen", "oar", "osprey", "otter", "paddle", "pelican", "petrel", "pilot", "pinnace", "plover",
        "porpoise", "prow", "punt", "quay", "ripple", "rudder", "schooner", "seal", "sextant", "shoal", "skiff", "skipper", "sloop",
        "spar", "starboard", "stern", "tern", "tide", "tiller", "trawler", "trident", "tug", "turnstone", "walrus", "wharf", "wherry",
        "yawl", "zephyr",
    ];

    /// <summary>A new id: 32 random bytes in hex.</summary>
    public static string NewId()
    {
        string id;
        do
        {
            id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        }
        while (IsNumber(id));
        return id;
    }

    /// <summary>The first 12 digits are the host name, and C libraries take a name of decimal digits alone for an address: one in 280 would not resolve.</summary>
    internal static bool IsNumber(string id) => id.AsSpan(0, 12).IndexOfAnyExceptInRange('0', '9') < 0;

    /// <summary>Two words joined by an underscore that <paramref name="taken"/> does not know; a number is added when the words run out.</summary>
    public static string Generate(Func<string, bool> taken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var name = $"{Moods[RandomNumberGenerator.GetInt32(Moods.Length)]}_{Crew[RandomNumberGenerator.GetInt32(Crew.Length)]}";
            if (attempt > 5)
            {
                name += RandomNumberGenerator.GetInt32(10, 1_000_000).ToString(System.Globalization.CultureInfo.InvariantCulture);
            }

            if (!taken(name))
            {
                return name;
            }
        }
    }

    /// <summary>Docker's rule for names: <c>[a-zA-Z0-9][a-zA-Z0-9_.-]+</c>, a leading slash tolerated.</summary>
    public static string Validate(string name)
    {
        var bare = name.StartsWith('/') ? name[1..] : name;
        var valid = bare.Length >= 2 && char.IsAsciiLetterOrDigit(bare[0]);
        foreach (var c in bare)
        {
            valid &= char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-';
        }

        return valid
            ? bare
            : throw EngineException.Invalid($"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    }
}
