namespace Sampan.Engine.Builds;

/// <summary>A value of <c>--cache-from</c> or <c>--cache-to</c>: an image's name, or <c>type=registry,ref=NAME,mode=max</c>.</summary>
internal sealed record CacheSpec(string Type, string Reference, bool IsMax)
{
    /// <summary>The type of a plain name: an image that is here.</summary>
    public const string Image = "image";

    /// <exception cref="EngineException">An unknown type, key or mode, or a name is missing.</exception>
    public static CacheSpec Parse(string text, params ReadOnlySpan<string> types)
    {
        if (!text.Contains('='))
        {
            return new(Image, text, IsMax: false);
        }

        var values = text.Split(',').Select(part => part.Split('=', 2)).ToLookup(part => part[0].Trim(), part => part[^1].Trim());
        if (values.FirstOrDefault(group => group.Key is not ("type" or "ref" or "mode")) is { } unknown)
        {
            throw EngineException.Invalid($"invalid cache '{text}': unknown key '{unknown.Key}'");
        }

        var type = values["type"].FirstOrDefault() ?? "";
        if (!types.Contains(type))
        {
            throw EngineException.Invalid($"invalid cache '{text}': the type must be {string.Join(" or ", types.ToArray())}");
        }

        var mode = values["mode"].FirstOrDefault() ?? "min";
        var reference = values["ref"].FirstOrDefault() ?? "";
        return mode is not ("min" or "max") ? throw EngineException.Invalid($"invalid cache '{text}': the mode must be min or max")
            : type == "registry" && reference.Length == 0 ? throw EngineException.Invalid($"invalid cache '{text}': want ref=NAME")
            : new(type, reference, mode == "max");
    }
}
