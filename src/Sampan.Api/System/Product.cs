using System.Reflection;

namespace Sampan.Api;

/// <summary>What this build is, as <c>version</c> tells it.</summary>
public static class Product
{
    private static readonly string[] s_version =
        (typeof(Product).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0").Split('+', 2);

    /// <summary>The version without the revision: <c>0.1.0</c>.</summary>
    public static string Version => s_version[0];

    /// <summary>The first digits of the Git revision it was built from; empty outside a repository.</summary>
    public static string Commit => s_version.Length > 1 ? s_version[1][..Math.Min(7, s_version[1].Length)] : "";
}
