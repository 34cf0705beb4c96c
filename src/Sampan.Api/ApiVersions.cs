namespace Sampan.Api;

/// <summary>The versions of the Engine API that are spoken.</summary>
public static class ApiVersions
{
    public const string Newest = "1.55";
    public const string Oldest = "1.24";
    public const int NewestMinor = 55, OldestMinor = 24;
}
