using System.Globalization;
using Sampan.Api;

namespace Sampan.Engine.Containers;

/// <summary>
/// How a container is logged. A log never grows without bound: where nothing is said it holds five files of 20 MB, as Docker's
/// <c>local</c> driver does.
/// </summary>
internal readonly struct LogSettings
{
    /// <summary>Docker's names; all but none write the same file.</summary>
    public static readonly string[] Drivers = ["json-file", "local", "none"];

    /// <summary>
    /// Of Docker's json-file driver and of all drivers. Only size and number have an effect: nothing is added to lines, and files are
    /// not compressed.
    /// </summary>
    private static readonly string[] Options =
    [
        "max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag",
        "mode", "max-buffer-size", "cache-disabled", "cache-max-file", "cache-max-size", "cache-compress",
    ];

    public LogSettings(LogConfig config)
    {
        Writes = config.Type != "none";
        if (config.Type.Length > 0 && !Drivers.Contains(config.Type))
        {
            throw EngineException.Invalid($"logger: no log driver named '{config.Type}' is registered");
        }

        if ((config.Config ?? []).Keys.FirstOrDefault(option => !Options.Contains(option)) is { } unknown)
        {
            throw EngineException.Invalid($"unknown log opt '{unknown}' for {(config.Type.Length > 0 ? config.Type : Drivers[0])} log driver");
        }

        MaxBytes = config.Config?.GetValueOrDefault("max-size") is { } size ? ParseSize(size) : 20_000_000;
        MaxFiles = config.Config?.GetValueOrDefault("max-file") is { } files
            ? int.TryParse(files, CultureInfo.InvariantCulture, out var count) && count > 0 ? count : throw EngineException.Invalid($"invalid value for max-file: '{files}'")
            : 5;
    }

    public bool Writes { get; }

    public long MaxBytes { get; }

    public int MaxFiles { get; }

    /// <summary><c>10m</c>, <c>1g</c>, <c>512k</c> in powers of 1,024; -1 is unlimited.</summary>
    private static long ParseSize(string size)
    {
        if (size == "-1")
        {
            return 0;
        }

        var digits = size.TrimEnd('b', 'B', 'k', 'K', 'm', 'M', 'g', 'G');
        var unit = size[digits.Length..].ToLowerInvariant().TrimEnd('b') switch { "" => 1L, "k" => 1L << 10, "m" => 1L << 20, "g" => 1L << 30, _ => 0 };
        return unit > 0 && long.TryParse(digits, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number * unit
            : throw EngineException.Invalid($"invalid size: '{size}'");
    }
}
