using System.Globalization;
using Sampan.Api;

namespace Sampan.Daemon.Http;

/// <summary>The version in a path: <c>/v1.44/info</c> is <c>/info</c> as of 1.44.</summary>
internal static class ApiVersion
{
    /// <summary>Splits a path into the minor version, the newest when it names none, and the rest.</summary>
    /// <exception cref="ApiException">400: a version this daemon does not speak.</exception>
    public static (int Minor, string Path) Split(string path)
    {
        var end = path.Length > 2 && path[1] == 'v' && char.IsAsciiDigit(path[2]) ? path.IndexOf('/', 2) : -1;
        if (end < 0 || path.AsSpan(2, end - 2).ContainsAnyExcept("0123456789."))
        {
            return (ApiVersions.NewestMinor, path);
        }

        var text = path[2..end];
        var dot = text.IndexOf('.');
        if (!int.TryParse(dot < 0 ? text : text[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            || !int.TryParse(dot < 0 ? "0" : text[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var minor))
        {
            throw new ApiException(400, $"invalid API version '{text}'");
        }

        if (major < 1 || (major == 1 && minor < ApiVersions.OldestMinor))
        {
            throw new ApiException(
                400,
                $"client version {text} is too old. Minimum supported API version is {ApiVersions.Oldest}, "
                + "please upgrade your client to a newer version");
        }

        return major > 1 || minor > ApiVersions.NewestMinor
            ? throw new ApiException(400, $"client version {text} is too new. Maximum supported API version is {ApiVersions.Newest}")
            : (minor, path[end..]);
    }
}
