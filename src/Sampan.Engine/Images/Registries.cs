using System.Text;
using Sampan.Api;
using Sampan.Oci;
using Sampan.Registry;

namespace Sampan.Engine;

/// <summary>login, search and questions about images at registries.</summary>
public sealed partial class EngineService
{
    /// <summary>Under this name clients keep docker.io's credentials.</summary>
    private const string IndexServer = "https://index.docker.io/v1/";

    private const int SearchMost = 100;

    public async Task<AuthResponse> AuthAsync(AuthConfig auth, CancellationToken cancel)
    {
        var server = string.IsNullOrEmpty(auth.ServerAddress) ? IndexServer : auth.ServerAddress;
        var host = HostOf(server);
        try
        {
            await _registries.LoginAsync(host is "index.docker.io" or "registry-1.docker.io" ? "docker.io" : host, CredentialsOf(auth), cancel);
            return new AuthResponse { Status = "Login Succeeded" };
        }
        catch (RegistryException e) when (e.Kind is RegistryErrorKind.Unauthorized or RegistryErrorKind.Denied)
        {
            throw new EngineException(ErrorKind.Unauthorized, e.Message, e);
        }
    }

    public async Task<List<ImageSearchItem>> SearchImagesAsync(
        string term, int limit, Dictionary<string, List<string>> filters, AuthConfig? auth, CancellationToken cancel)
    {
        if (limit is < 1 or > SearchMost)
        {
            throw EngineException.Invalid($"limit {limit} is outside the range of [1, {SearchMost}]");
        }

        var filter = new Filters(filters, "is-automated", "is-official", "stars");
        var official = filter.Bool("is-official");
        var automated = filter.Bool("is-automated");
        var stars = filter.Get("stars").Select(s => int.TryParse(s, out var n) ? n : throw EngineException.Invalid($"invalid filter 'stars={s}'")).DefaultIfEmpty(0).Max();
        var found = await _registries.SearchAsync(term, limit, CredentialsOf(auth), cancel);
        return [.. found.Where(f => (official is null || f.IsOfficial == official) && (automated is null || f.IsAutomated == automated) && f.StarCount >= stars)
            .Select(f => new ImageSearchItem
            {
                Name = f.Name ?? "",
                Description = f.Description ?? "",
                StarCount = f.StarCount,
                IsOfficial = f.IsOfficial,
                IsAutomated = f.IsAutomated,
            })];
    }

    public async Task<DistributionInspect> DistributionAsync(string name, AuthConfig? auth, CancellationToken cancel)
    {
        var (descriptor, platforms) = await _registries.InspectAsync(ImageReference.Parse(name), CredentialsOf(auth), cancel);
        return new DistributionInspect
        {
            Descriptor = new OCIDescriptor { MediaType = descriptor.MediaType, Digest = descriptor.Digest.ToString(), Size = descriptor.Size },
            Platforms = [.. platforms.Select(p => new OCIPlatform
            {
                Architecture = p.Architecture,
                Os = p.Os,
                OsVersion = p.OsVersion,
                OsFeatures = p.OsFeatures?.ToList(),
                Variant = p.Variant,
            })],
        };
    }

    private static RegistryOptions RegistryOptionsOf(DaemonOptions options)
    {
        var proxies = ProxySettings.OfEnvironment();
        return new RegistryOptions
        {
            Mirrors = options.RegistryMirrors,
            InsecureRegistries = options.InsecureRegistries,
            MaxConcurrentDownloads = options.MaxConcurrentDownloads,
            MaxConcurrentUploads = options.MaxConcurrentUploads,
            MaxAttempts = options.MaxDownloadAttempts,
            Proxies = new ProxySettings(options.HttpProxy ?? proxies.Http, options.HttpsProxy ?? proxies.Https, options.NoProxy ?? proxies.Except),
        };
    }

    /// <summary>The credentials for a reference: among those a client sent for a build, else the client is asked.</summary>
    private static async Task<Credentials> CredentialsForAsync(ImageReference reference, BuildOptions options, CancellationToken cancel) => options.Client is null
        ? CredentialsFor(reference, options.AuthConfigs) : CredentialsOf(await options.Client.CredentialsAsync(reference.Domain, cancel));

    /// <summary>The credentials for a reference among those a client sent for a build, whose names are as in its configuration file.</summary>
    private static Credentials CredentialsFor(ImageReference reference, IReadOnlyDictionary<string, AuthConfig> all)
    {
        var key = reference.Domain == "docker.io" ? IndexServer : reference.Domain;
        return CredentialsOf(all.GetValueOrDefault(key) ?? all.FirstOrDefault(a => HostOf(a.Key) == HostOf(key)).Value);
    }

    private static Credentials CredentialsOf(AuthConfig? auth)
    {
        // "auth" is user and password in one, as the configuration file has them.
        var (username, password) = (auth?.Username ?? "", auth?.Password ?? "");
        if (username.Length == 0 && auth?.Auth is { Length: > 0 } both)
        {
            try
            {
                var text = Encoding.UTF8.GetString(Convert.FromBase64String(both));
                (username, password) = text.Split(':', 2) is [var u, var p] ? (u, p) : throw EngineException.Invalid("invalid auth configuration: \"auth\" has no colon");
            }
            catch (FormatException e)
            {
                throw EngineException.Invalid($"invalid auth configuration: {e.Message}");
            }
        }

        return new Credentials { Username = username, Password = password, IdentityToken = auth?.IdentityToken ?? "", RegistryToken = auth?.RegistryToken ?? "" };
    }

    /// <summary>Without scheme and path.</summary>
    private static string HostOf(string server)
    {
        var rest = server.IndexOf("://", StringComparison.Ordinal) is >= 0 and var at ? server[(at + 3)..] : server;
        return rest.Split('/')[0];
    }
}
