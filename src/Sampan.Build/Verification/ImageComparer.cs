using System.Text.Json;
using Sampan.Build.Context;
using Sampan.Build.Files;
using Sampan.Store;

namespace Sampan.Build.Verification;

/// <summary>Finds where an image that was built again differs from the first: a layer's file and attribute, or a member of the configuration.</summary>
public static class ImageComparer
{
    /// <summary>The first difference in words; null when the images are the same.</summary>
    /// <param name="there">The image to be reproduced.</param>
    /// <param name="here">The one that was built now.</param>
    public static string? FirstDifference(Store.Store store, ImageRecord there, ImageRecord here)
    {
        if (there.Id == here.Id)
        {
            return null;
        }

        // Layers first: the configuration only repeats their digests.
        return Layers(store, there, here) ?? Json(there, here);
    }

    private static string? Layers(Store.Store store, ImageRecord there, ImageRecord here)
    {
        var a = there.ChainId is { } first ? store.Layers.Stack(first).Reverse().ToList() : [];
        var b = here.ChainId is { } second ? store.Layers.Stack(second).Reverse().ToList() : [];
        for (var i = 0; i < Math.Min(a.Count, b.Count); i++)
        {
            if (a[i].DiffId != b[i].DiffId)
            {
                var difference = Trees(new MergedView([a[i].DiffPath]).Root!, new MergedView([b[i].DiffPath]).Root!);
                return $"layer {i + 1}: {difference ?? $"removed files differ ({a[i].DiffId} there, {b[i].DiffId} here)"}";
            }
        }

        return a.Count == b.Count ? null : $"there are {a.Count} layers there and {b.Count} here";
    }

    private static string? Trees(MergedNode there, MergedNode here)
    {
        var a = MergedView.List(there).ToDictionary(n => n.Path);
        var b = MergedView.List(here).ToDictionary(n => n.Path);
        foreach (var path in a.Keys.Union(b.Keys).Order(StringComparer.Ordinal))
        {
            var difference = !b.TryGetValue(path, out var second) ? $"{path} is there only" : !a.TryGetValue(path, out var first) ? $"{path} is here only"
                : Nodes(first, second);
            if (difference is not null)
            {
                return difference;
            }
        }

        return null;
    }

    private static string? Nodes(MergedNode there, MergedNode here)
    {
        var (a, b) = (there.Stat, here.Stat);
        string? Differs<T>(string what, T first, T second) => EqualityComparer<T>.Default.Equals(first, second) ? null
            : $"the {what} of {there.Path} is {first} there and {second} here";
        return Differs("type", Convert.ToString(a.Type, 8), Convert.ToString(b.Type, 8)) ?? Differs("mode", Convert.ToString(a.Permissions, 8), Convert.ToString(b.Permissions, 8))
            ?? Differs("owner", $"{a.Uid}:{a.Gid}", $"{b.Uid}:{b.Gid}") ?? Differs("time", a.Modified.Seconds, b.Modified.Seconds)
            ?? (a.IsDirectory ? Trees(there, here) : a.IsSymlink ? Differs("target", MergedView.ReadLink(there), MergedView.ReadLink(here)) : null)
            ?? (a.IsRegular && Digest(there) != Digest(here) ? $"the content of {there.Path} differs" : null)
            ?? (!Xattrs.Names(there).Select(Convert.ToHexString).SequenceEqual(Xattrs.Names(here).Select(Convert.ToHexString)) ? $"the xattrs of {there.Path} differ" : null);
    }

    private static string Digest(MergedNode file) => new FileDigests(memo: null, mayChange: false).Of(file, CancellationToken.None);

    private static string? Json(ImageRecord there, ImageRecord here)
    {
        using var a = JsonDocument.Parse(there.ConfigJson);
        using var b = JsonDocument.Parse(here.ConfigJson);
        return Elements("", a.RootElement, b.RootElement) ?? "the configurations differ in their spelling only";
    }

    private static string? Elements(string path, JsonElement there, JsonElement here)
    {
        if (there.ValueKind == JsonValueKind.Object && here.ValueKind == JsonValueKind.Object)
        {
            var names = there.EnumerateObject().Concat(here.EnumerateObject()).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal);
            return names.Select(name => Members($"{path}{(path.Length == 0 ? "" : ".")}{name}", there.TryGetProperty(name, out var first) ? first : null, here.TryGetProperty(name, out var second) ? second : null))
                .FirstOrDefault(d => d is not null);
        }

        if (there.ValueKind == JsonValueKind.Array && here.ValueKind == JsonValueKind.Array)
        {
            return Enumerable.Range(0, Math.Max(there.GetArrayLength(), here.GetArrayLength()))
                .Select(i => Members($"{path}[{i}]", i < there.GetArrayLength() ? there[i] : null, i < here.GetArrayLength() ? here[i] : null))
                .FirstOrDefault(d => d is not null);
        }

        return there.GetRawText() == here.GetRawText() ? null : $"{path} is {there.GetRawText()} there and {here.GetRawText()} here";
    }

    private static string? Members(string path, JsonElement? there, JsonElement? here) => there is null ? $"{path} is here only"
        : here is null ? $"{path} is there only" : Elements(path, there.Value, here.Value);
}
