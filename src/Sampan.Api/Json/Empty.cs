namespace Sampan.Api;

/// <summary>Go's <c>struct{}</c>: the value of a set kept as a map, written <c>{}</c>.</summary>
public sealed class Empty
{
    /// <summary>The one value there is need of.</summary>
    public static Empty Value { get; } = new();
}
