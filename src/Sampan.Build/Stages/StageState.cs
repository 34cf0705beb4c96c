using Sampan.Oci;

namespace Sampan.Build.Stages;

/// <summary>A stage after some of its instructions: the image it would be, and what the next instruction sees. Immutable.</summary>
public sealed record StageState
{
    public required Platform Platform { get; init; }

    public ImageRuntimeConfig Config { get; init; } = new();

    public IReadOnlyList<HistoryEntry> History { get; init; } = [];

    public IReadOnlyList<Digest> DiffIds { get; init; } = [];

    /// <summary>The topmost layer; null while there is none.</summary>
    public ChainId? Chain { get; init; }

    public string? Author { get; init; }

    /// <summary>The image the stage began from, as the parent of the result.</summary>
    public Digest? BaseImage { get; init; }

    /// <summary>
    /// The newest time in the input so far, in seconds: the base image's, then that of the newest file copied. It dates the image and
    /// limits the times of files that commands write, so that the same input gives the same image on any day.
    /// </summary>
    public long TimeSeconds { get; init; }

    /// <summary>Arguments declared so far in this stage or those it is based on, in order; a null value is declared without one.</summary>
    public IReadOnlyList<(string Name, string? Value)> Args { get; init; } = [];

    /// <summary>This stage has had a CMD, so that ENTRYPOINT does not clear it.</summary>
    public bool HasCmd { get; init; }

    /// <summary>The first line at which this build made something that the cache did not have; null while everything is as it was.</summary>
    public int? ChangedAtLine { get; init; }

    /// <summary>The environment as <c>NAME=value</c>.</summary>
    public IReadOnlyList<string> Env => Config.Env ?? [];

    public string WorkingDirectory => Config.WorkingDir is { Length: > 0 } directory ? directory : "/";

    public IReadOnlyList<string> Shell => Config.Shell is { Count: > 0 } shell ? shell : ["/bin/sh", "-c"];

    /// <summary>A variable as instructions see it: ENV wins over ARG.</summary>
    public string? Lookup(string name)
    {
        var prefix = name + "=";
        foreach (var entry in Env)
        {
            if (entry.StartsWith(prefix, StringComparison.Ordinal))
            {
                return entry[prefix.Length..];
            }
        }

        foreach (var (arg, value) in Args)
        {
            if (arg == name)
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>Arguments with a value that ENV does not hide, by name: what a RUN sees.</summary>
    public IReadOnlyList<(string Name, string Value)> VisibleArgs()
    {
        var hidden = Env.Select(e => e.Split('=', 2)[0]).ToHashSet();
        return [.. Args.Where(a => a.Value is not null && !hidden.Contains(a.Name)).Select(a => (a.Name, a.Value!)).OrderBy(a => a.Name, StringComparer.Ordinal)];
    }

    public StageState WithArg(string name, string? value) => this with { Args = [.. Args.Where(a => a.Name != name), (name, value)] };

    /// <summary>Sets a variable in place, or adds it at the end.</summary>
    public StageState WithEnv(string name, string value)
    {
        var entry = $"{name}={value}";
        var at = Env.ToList().FindIndex(e => e.StartsWith(name + "=", StringComparison.Ordinal) || e == name);
        return this with { Config = Config with { Env = at < 0 ? [.. Env, entry] : [.. Env.Take(at), entry, .. Env.Skip(at + 1)] } };
    }

    /// <summary>Gives an image without PATH the usual one, as Docker does: <c>ENV PATH=$PATH:/app</c> must not lose the programs.</summary>
    public StageState WithPath() => Env.Any(e => e.StartsWith("PATH=", StringComparison.Ordinal)) ? this
        : this with { Config = Config with { Env = [.. Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] } };

    /// <summary>Adds a line to the history.</summary>
    public StageState WithHistory(string createdBy, bool emptyLayer) => this with
    {
        History = [.. History, new() { Created = Time, CreatedBy = createdBy, EmptyLayer = emptyLayer ? true : null }],
    };

    /// <summary>Puts a layer on top.</summary>
    public StageState WithLayer(Digest diffId, ChainId chain, string createdBy, long timeSeconds) =>
        (this with { DiffIds = [.. DiffIds, diffId], Chain = chain, TimeSeconds = Math.Max(TimeSeconds, timeSeconds) }).WithHistory(createdBy, emptyLayer: false);

    public DateTimeOffset Time => DateTimeOffset.FromUnixTimeSeconds(TimeSeconds);

    /// <summary>The configuration of the image this would be.</summary>
    public ImageConfig ToImage() => new()
    {
        Architecture = Platform.Architecture,
        Os = Platform.Os,
        OsVersion = Platform.OsVersion,
        Variant = Platform.Variant,
        Author = Author,
        Created = Time,
        Config = Config,
        History = History,
        RootFs = new() { DiffIds = DiffIds },
    };
}
