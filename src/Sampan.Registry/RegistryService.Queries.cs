using System.Net;
using Sampan.Oci;

namespace Sampan.Registry;

/// <summary>Questions to registries that move no image: login, tags, distribution, search.</summary>
public sealed partial class RegistryService
{
    private const int SearchLimit = 4 * 1024 * 1024;

    /// <summary>docker-registry refuses to give more at one time.</summary>
    private const int CatalogPage = 1000;

    /// <summary>All tags of a repository.</summary>
    public async Task<IReadOnlyList<string>> TagsAsync(ImageReference repository, Credentials credentials, CancellationToken cancel) =>
        (await AskAsync(repository, credentials, c => c.TagsAsync(cancel), cancel)).Answer;

    /// <summary>What a reference stands for, and the platforms it has.</summary>
    public async Task<(Descriptor Descriptor, IReadOnlyList<Platform> Platforms)> InspectAsync(
        ImageReference reference, Credentials credentials, CancellationToken cancel)
    {
        var (top, platform) = await ManifestAsync(reference, credentials, cancel);
        return (top.Descriptor, platform is not null ? [platform]
            : [.. Answers.Parse(top.Content, ImageJson.Compact.ImageIndex, $"index {top.Digest}").Manifests.Select(m =>
                m.Platform).OfType<Platform>()]);
    }

    /// <summary>Checks credentials at a registry.</summary>
    /// <param name="domain"><c>docker.io</c>, or <c>HOST[:PORT]</c>.</param>
    /// <exception cref="RegistryException">Unauthorized, when they are not accepted.</exception>
    public async Task LoginAsync(string domain, Credentials credentials, CancellationToken cancel)
    {
        var (transport, root) = await TransportAsync(domain, credentials, cancel);
        using var answer = await transport.SendAsync(() => new HttpRequestMessage(HttpMethod.Get, new Uri(root, "/v2/")), once: false,
            cancel);
        if (answer.StatusCode == HttpStatusCode.Unauthorized)
        {
            var error = await Answers.ErrorAsync(answer, $"login attempt to {root}v2/ failed", cancel);
            throw new RegistryException(RegistryErrorKind.Unauthorized, error.Message) { Reason = error.Reason };
        }

        if (answer.StatusCode != HttpStatusCode.OK)
        {
            throw await Answers.ErrorAsync(answer, $"login attempt to {root}v2/ failed", cancel);
        }
    }

    /// <summary>
    /// Looks for repositories: by docker.io's index, or at another registry (<c>HOST/TERM</c>) by the same interface and, where it has
    /// none, by its list of repositories.
    /// </summary>
    public async Task<IReadOnlyList<SearchItem>> SearchAsync(string term, int limit, Credentials credentials, CancellationToken cancel)
    {
        var slash = term.IndexOf('/');
        var domain = slash > 0 && (term.AsSpan(0, slash).ContainsAny('.', ':') || term[..slash] == "localhost") ? term[..slash]
            : "docker.io";
        var words = domain == "docker.io" && !term.StartsWith("docker.io/", StringComparison.Ordinal) ? term : term[(slash + 1)..];
        var (transport, root) = domain == "docker.io"
            ? (Anonymous(new Uri("https://index.docker.io")), new Uri("https://index.docker.io"))
            : await TransportAsync(domain, credentials, cancel);
        using var answer = await transport.SendAsync(
            () => new HttpRequestMessage(HttpMethod.Get, new Uri(root, $"/v1/search?q={Uri.EscapeDataString(words)}&n={limit}")),
            once: false, cancel);
        if (answer.StatusCode == HttpStatusCode.OK && answer.Content.Headers.ContentType?.MediaType == "application/json")
        {
            return (await Answers.JsonAsync(answer, RegistryJson.Default.SearchAnswer, SearchLimit, cancel)).Results ?? [];
        }

        if (domain == "docker.io")
        {
            throw await Answers.ErrorAsync(answer, $"search for \"{words}\" at {root}", cancel);
        }

        using var catalog = await transport.SendAsync(() =>
            new HttpRequestMessage(HttpMethod.Get, new Uri(root, $"/v2/_catalog?n={CatalogPage}")), once: false, cancel);
        if (catalog.StatusCode != HttpStatusCode.OK)
        {
            throw await Answers.ErrorAsync(catalog, $"{domain} neither searches nor lists its repositories", cancel);
        }

        var all = (await Answers.JsonAsync(catalog, RegistryJson.Default.CatalogAnswer, SearchLimit, cancel)).Repositories ?? [];
        return [.. all.Where(r => r.Contains(words, StringComparison.OrdinalIgnoreCase)).Take(limit)
            .Select(r => new SearchItem { Name = $"{domain}/{r}" })];
    }

    private Transport Anonymous(Uri root) => new(_clients, _options, new Authorizer(_clients, _endpoints, _options, Credentials.None),
        root);

    private async Task<(Transport Transport, Uri Root)> TransportAsync(string domain, Credentials credentials, CancellationToken cancel)
    {
        var root = await RootAsync(_endpoints.Of(domain, writing: true).Last(), cancel);
        return (new Transport(_clients, _options, new Authorizer(_clients, _endpoints, _options, credentials), root), root);
    }
}
