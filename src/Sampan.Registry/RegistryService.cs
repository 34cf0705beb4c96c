using System.Collections.Concurrent;
using Sampan.Oci;
using DataRoot = Sampan.Store.Store;

namespace Sampan.Registry;

/// <summary>The registries of the world as one daemon reaches them. Thread-safe.</summary>
public sealed partial class RegistryService : IDisposable
{
    private readonly RegistryOptions _options;
    private readonly EndpointTable _endpoints;
    private readonly HttpClients _clients;
    private readonly DataRoot? _store;
    private readonly LayerTransfers? _transfers;
    private readonly KnownBlobs? _known;
    private readonly SemaphoreSlim _uploads;

    /// <summary>Which of the hosts that may speak plain HTTP do.</summary>
    private readonly ConcurrentDictionary<string, Uri> _schemes = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="store">Where images come from and go to; null for one who only asks.</param>
    /// <exception cref="FormatException">A mirror or a proxy is not a URL.</exception>
    public RegistryService(RegistryOptions options, DataRoot? store)
    {
        _options = options;
        _endpoints = new EndpointTable(options);
        _clients = new HttpClients(options, _endpoints);
        _uploads = new SemaphoreSlim(Math.Max(1, options.MaxConcurrentUploads));
        if (store is not null)
        {
            (_store, _transfers, _known) = (store, new LayerTransfers(store.Layers, Math.Max(1, options.MaxConcurrentDownloads)),
                new KnownBlobs(store.Database.Documents("layer-blobs")));
        }
    }

    /// <summary>For one who only asks: the command line, which has no store.</summary>
    public static RegistryService WithoutStore(RegistryOptions options) => new(options, null);

    /// <summary>True when a registry's certificate need not be valid, and plain HTTP will do.</summary>
    public bool IsInsecure(string domain) => _endpoints.IsInsecure(EndpointTable.HostOf(domain));

    /// <summary>The repository at its registry, not at a mirror.</summary>
    public async Task<RepositoryClient> OpenAsync(ImageReference repository, Credentials credentials, bool writing,
        CancellationToken cancel) =>
        await OpenAsync(_endpoints.Of(repository.Domain, writing: true).Last(), repository, credentials, writing, cancel);

    public void Dispose()
    {
        _clients.Dispose();
        _uploads.Dispose();
    }

    /// <summary>The first of a repository's mirrors and registry that gives an answer to the question.</summary>
    /// <exception cref="RegistryException">The registry's, when all fail.</exception>
    private async Task<(RepositoryClient Client, T Answer)> AskAsync<T>(
        ImageReference repository, Credentials credentials, Func<RepositoryClient, Task<T>> ask, CancellationToken cancel)
    {
        foreach (var endpoint in _endpoints.Of(repository.Domain, writing: false))
        {
            try
            {
                var client = await OpenAsync(endpoint, repository, credentials, writing: false, cancel);
                return (client, await ask(client));
            }
            catch (RegistryException) when (endpoint.IsMirror)
            {
                // A mirror may lack what the registry has: whatever is wrong with it, the registry decides.
            }
        }

        throw new InvalidOperationException("a domain has no registry");
    }

    private async Task<RepositoryClient> OpenAsync(Endpoint endpoint, ImageReference repository, Credentials credentials, bool writing,
        CancellationToken cancel)
    {
        var root = await RootAsync(endpoint, cancel);
        var authorizer = new Authorizer(_clients, _endpoints, _options, endpoint.IsMirror ? Credentials.None : credentials);
        authorizer.Want($"repository:{repository.Path}:{(writing ? "pull,push" : "pull")}");
        return new RepositoryClient(new Transport(_clients, _options, authorizer, root), root, repository, endpoint.IsMirror)
        {
            MaxAttempts = _options.MaxAttempts,
            StallTimeout = _options.StallTimeout,
        };
    }

    /// <summary>Where the API really is: of a host that may speak plain HTTP it is found out once, https being asked first.</summary>
    private async Task<Uri> RootAsync(Endpoint endpoint, CancellationToken cancel)
    {
        if (!endpoint.IsSchemeOpen)
        {
            return endpoint.Base;
        }

        if (_schemes.TryGetValue(endpoint.Base.Authority, out var known))
        {
            return known;
        }

        // https://HOST without a port means 443, http://HOST means 80.
        var plain = new Uri($"http://{endpoint.Base.OriginalString["https://".Length..]}");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(_options.ConnectTimeout);
        try
        {
            using var probe = await _clients.For(endpoint.Base)
                .GetAsync(new Uri(endpoint.Base, "/v2/"), HttpCompletionOption.ResponseHeadersRead, patience.Token);
            return _schemes[endpoint.Base.Authority] = endpoint.Base;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // Remembered only when plain HTTP does answer: a registry that is just starting may come up with TLS.
            return plain;
        }
    }
}
