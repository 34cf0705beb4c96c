using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Shapes;

namespace Sampan.Daemon.Routes;

/// <summary>Images.</summary>
internal static class ImageRoutes
{
    public static void Map(Router router)
    {
        router.Map("GET", "/images/json", ListAsync);
        router.Map("GET", "/images/search", SearchAsync);
        router.Map("GET", "/images/get", call => SaveAsync(call, [.. call.Query.All("names").SelectMany(n => n.Split(','))]));
        router.Map("GET", "/images/{name}/get", call => SaveAsync(call, [call.Name]));
        router.Map("GET", "/images/{name}/history", async call => await call.AnswerAsync(
            await call.Engine.HistoryAsync(call.Name, Platform(call, 48), call.Cancel), ApiJson.Wire.ListImageHistoryItem));
        router.Map("GET", "/images/{name}/json", InspectAsync);
        router.Map("POST", "/images/create", CreateAsync);
        router.Map("POST", "/images/load", LoadAsync);
        router.Map("POST", "/images/prune", async call => await call.AnswerAsync(
            await call.Engine.PruneImagesAsync(call.Query.Filters(), call.Cancel), ApiJson.Wire.ImagesPruneResponse));
        router.Map("POST", "/images/{name}/push", PushAsync);
        router.Map("POST", "/images/{name}/tag", TagAsync);
        router.Map("GET", "/distribution/{name}/json", async call => await call.AnswerAsync(
            await call.Engine.DistributionAsync(call.Name, Auth(call), call.Cancel), ApiJson.Wire.DistributionInspect));
        router.Map("DELETE", "/images/{name}", async call => await call.AnswerAsync(
            await call.Engine.RemoveImageAsync(call.Name, call.Query.Bool("force"), call.Query.Bool("noprune"), call.Cancel),
            ApiJson.Wire.ListImageDeleteItem));
    }

    /// <summary>A platform as clients write it in a query: JSON since 1.48, or text.</summary>
    private static string? Platform(ApiCall call, int since)
    {
        if (call.Version < since || call.Query["platform"] is not { } text || text[0] != '{')
        {
            return call.Version < since ? null : call.Query["platform"];
        }

        var platform = call.Query.Json("platform", ApiJson.Wire.OCIPlatform)!;
        return platform.Variant is { Length: > 0 } variant
            ? $"{platform.Os}/{platform.Architecture}/{variant}"
            : $"{platform.Os}/{platform.Architecture}";
    }

    private static async Task ListAsync(ApiCall call)
    {
        var filters = call.Query.Filters();
        if (call.Version < 41 && call.Query["filter"] is { } reference)
        {
            filters["reference"] = [.. filters.GetValueOrDefault("reference") ?? [], reference];
        }

        var list = await call.Engine.ListImagesAsync(
            call.Query.Bool("all"), filters, call.Version >= 42 && call.Query.Bool("shared-size"), call.Query.Bool("digests"), call.Cancel);
        await call.AnswerAsync(ImageShapes.List(list, call.Version));
    }

    private static async Task SearchAsync(ApiCall call)
    {
        var term = call.Query["term"] ?? throw new ApiException(400, "no search term given");
        var found = await call.Engine.SearchImagesAsync(term, call.Query.Int32("limit", 25), call.Query.Filters(), Auth(call), call.Cancel);
        await call.AnswerAsync(found, ApiJson.Wire.ListImageSearchItem);
    }

    private static async Task SaveAsync(ApiCall call, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
        {
            throw new ApiException(400, "no image names given");
        }

        var write = await call.Engine.SaveImagesAsync(names, Platform(call, 48), call.Cancel);
        call.Http.Response.ContentType = MediaTypes.Tar;
        await write(call.Http.Response.Body, call.Cancel);
    }

    private static async Task InspectAsync(ApiCall call)
    {
        var image = await call.Engine.InspectImageAsync(call.Name, Platform(call, 49), call.Cancel);
        await call.AnswerAsync(ImageShapes.Inspect(image, call.Version));
    }

    private static async Task CreateAsync(ApiCall call)
    {
        var query = call.Query;
        var platform = call.Version >= 32 ? query["platform"] : null;
        var progress = new ProgressStream(call);
        if (query["fromImage"] is { } image)
        {
            var options = new PullOptions { Image = image, Tag = query["tag"], Platform = platform, Auth = Auth(call) };
            await progress.RunAsync(() => call.Engine.PullImageAsync(options, progress.WriteAsync, call.Cancel));
            return;
        }

        var import = new ImportOptions
        {
            Source = query["fromSrc"] ?? throw new ApiException(400, "neither 'fromImage' nor 'fromSrc' given"),
            Repo = query["repo"],
            Tag = query["tag"],
            Message = query["message"],
            Changes = [.. query.All("changes").SelectMany(c => c.Split('\n', StringSplitOptions.RemoveEmptyEntries))],
            Platform = platform,
        };
        await progress.RunAsync(() => call.Engine.ImportImageAsync(import, call.Body, progress.WriteAsync, call.Cancel));
    }

    private static async Task PushAsync(ApiCall call)
    {
        var options = new PushOptions { Image = call.Name, Tag = call.Query["tag"], Platform = Platform(call, 46), Auth = Auth(call) };
        var progress = new ProgressStream(call);
        await progress.RunAsync(() => call.Engine.PushImageAsync(options, progress.WriteAsync, call.Cancel));
    }

    private static AuthConfig? Auth(ApiCall call) => Header(call, "X-Registry-Auth", ApiJson.Wire.AuthConfig);

    private static async Task LoadAsync(ApiCall call)
    {
        var progress = new ProgressStream(call);
        await progress.RunAsync(() => call.Engine.LoadImagesAsync(
            call.Body, call.Query.Bool("quiet", absent: true), Platform(call, 48), progress.WriteAsync, call.Cancel));
    }

    private static async Task TagAsync(ApiCall call)
    {
        var repo = call.Query["repo"] ?? throw new ApiException(400, "no repository given");
        await call.Engine.TagImageAsync(call.Name, repo, call.Query["tag"], call.Cancel);
        await call.AnswerAsync(201);
    }

    /// <summary>A header of base64 (URL-safe or not) of JSON; null when absent.</summary>
    /// <exception cref="ApiException">400: it does not parse.</exception>
    internal static T? Header<T>(ApiCall call, string name, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        if (call.Header(name) is not { Length: > 0 } text)
        {
            return default;
        }

        try
        {
            var base64 = text.Replace('-', '+').Replace('_', '/').TrimEnd('=');
            var bytes = Convert.FromBase64String(base64.PadRight((base64.Length + 3) / 4 * 4, '='));
            return JsonSerializer.Deserialize(bytes, type);
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new ApiException(400, $"invalid {name} header: {e.Message}");
        }
    }
}
