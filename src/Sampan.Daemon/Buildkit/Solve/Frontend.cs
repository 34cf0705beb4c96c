using System.Globalization;
using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>The attributes of BuildKit's Dockerfile frontend, as options of a build.</summary>
internal static class Frontend
{
    private const string Arg = "build-arg:", Label = "label:";

    /// <summary>The type of a cache in a directory of the client's.</summary>
    public const string Local = "local";

    /// <summary>What stands before an attribute that names a context.</summary>
    public const string Context = "context:";

    /// <summary>Makes sure that it is the Dockerfile frontend: the built-in one, or one of its images.</summary>
    /// <exception cref="GrpcException">Unimplemented.</exception>
    public static void Require(FrontendRequest request)
    {
        var source = request.Attributes.GetValueOrDefault("source") ?? "";
        var isDockerfile = request.Frontend == "dockerfile.v0" || (request.Frontend == "gateway.v0"
            && (source.StartsWith("docker/dockerfile", StringComparison.Ordinal) || source.StartsWith("docker.io/docker/dockerfile", StringComparison.Ordinal)));
        if (!isDockerfile)
        {
            throw new GrpcException(GrpcCode.Unimplemented, $"Sampan builds Dockerfiles only: frontend '{request.Frontend}' {source}".TrimEnd());
        }
    }

    /// <summary>The options that attributes say. What the client is to be asked for is not among them.</summary>
    /// <exception cref="GrpcException">InvalidArgument: a value is malformed. Unimplemented: several platforms.</exception>
    public static BuildOptions Options(FrontendRequest request, SolveRequest solve)
    {
        var attributes = request.Attributes;
        string? Text(string name) => attributes.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;
        var platform = Text("platform");
        if (platform?.Contains(',') == true)
        {
            throw new GrpcException(GrpcCode.Unimplemented, $"an image has one platform here: build for one of {platform} at a time");
        }

        // Empty for all stages.
        var noCache = attributes.GetValueOrDefault("no-cache");
        return new()
        {
            Dockerfile = Text("filename") ?? "Dockerfile",
            Target = Text("target"),
            Platform = platform,
            BuildArgs = Prefixed(attributes, Arg).ToDictionary(pair => pair.Key, pair => (string?)pair.Value),
            Labels = Prefixed(attributes, Label).ToDictionary(),
            NoCache = noCache is "",
            NoCacheStages = noCache?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [],
            Pull = Text("image-resolve-mode") is "pull",
            NetworkMode = Text("force-network-mode") is { } mode and not "sandbox" ? mode : null,
            ShmSize = Text("shm-size") is { } size ? Number("shm-size", size) : 0,
            CgroupParent = Text("cgroup-parent"),
            ExtraHosts = [.. Csv(Text("add-hosts")).Select(Host)],
            Ulimits = [.. Csv(Text("ulimit")).Select(UlimitOf)],
            CacheFrom = [.. Imports(request, solve).SelectMany(CacheFrom).Distinct()],
            CacheTo = [.. solve.CacheExports.Select(CacheTo)],
            Allow = solve.Entitlements,
            TellsSteps = true,
            Version = "2",
        };
    }

    /// <summary>Directories of the client's with cache, and which image of each is to be taken.</summary>
    public static IEnumerable<(string Directory, Digest Image)> LocalImports(FrontendRequest request, SolveRequest solve) =>
        Imports(request, solve).Where(target => target.Type == Local).Select(target => (
            target["src"] ?? throw new GrpcException(GrpcCode.InvalidArgument, "local cache importer requires src"),
            Digest.Parse(target["digest"] ?? throw new GrpcException(GrpcCode.InvalidArgument, "local cache importer requires explicit digest")))).Distinct();

    /// <summary>Contexts by name, with what they stand for.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Contexts(FrontendRequest request) => Prefixed(request.Attributes, Context);

    private static IEnumerable<KeyValuePair<string, string>> Prefixed(IReadOnlyDictionary<string, string> attributes, string prefix) =>
        attributes.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(pair => KeyValuePair.Create(pair.Key[prefix.Length..], pair.Value));

    private static string[] Csv(string? text) => text?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static long Number(string name, string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new GrpcException(GrpcCode.InvalidArgument, $"invalid value '{text}' of {name}: it must be a number");

    /// <summary>From <c>name=address</c>.</summary>
    private static string Host(string text) => text.Split('=', 2) is [var name, var address] ? $"{name}:{address.Trim('[', ']')}"
        : throw new GrpcException(GrpcCode.InvalidArgument, $"invalid host '{text}': want NAME=ADDRESS");

    private static Ulimit UlimitOf(string text)
    {
        try
        {
            return Ulimit.Parse(text);
        }
        catch (FormatException e)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, e.Message);
        }
    }

    /// <summary>Old clients and new ones say it in different places, and some in both.</summary>
    private static IEnumerable<Target> Imports(FrontendRequest request, SolveRequest solve) =>
        solve.CacheImports.Concat(request.CacheImports).Concat(Imports(request.Attributes.GetValueOrDefault("cache-imports")));

    private static IEnumerable<Target> Imports(string? json)
    {
        if (string.IsNullOrEmpty(json))
        {
            return [];
        }

        try
        {
            using var document = JsonDocument.Parse(json);
            return [.. document.RootElement.EnumerateArray().Select(entry => new Target(
                entry.GetProperty("Type").GetString() ?? "",
                entry.GetProperty("Attrs").EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.GetString() ?? "")))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, $"invalid value of cache-imports: {e.Message}");
        }
    }

    /// <summary>The image of that name may be here, or at its registry.</summary>
    private static string[] CacheFrom(Target target) => target is { Type: "registry" } && target["ref"] is { } name ? [name, $"type=registry,ref={name}"]
        : target.Type == Local ? [] // the client is asked for it, see LocalImports
        : throw new GrpcException(GrpcCode.Unimplemented, $"cache from type={target.Type} is not supported: use type=registry,ref=NAME or type=local,src=DIRECTORY");

    private static string CacheTo(Target target) => target switch
    {
        { Type: "inline" } => "type=inline",
        { Type: "registry" } when target["ref"] is { } name => $"type=registry,ref={name},mode={target["mode"] ?? "min"}",
        { Type: Local } when target["dest"] is not null => $"type=local,mode={target["mode"] ?? "min"}",
        _ => throw new GrpcException(
            GrpcCode.Unimplemented, $"cache to type={target.Type} is not supported: use type=inline, type=registry,ref=NAME or type=local,dest=DIRECTORY"),
    };
}
