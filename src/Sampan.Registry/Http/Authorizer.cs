using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Sampan.Registry;

/// <summary>
/// Meets the challenges of one registry for one user: nothing until it asks, then basic authentication or a token from its token server
/// (distribution, "Token Authentication"), which serves until shortly before it expires. Thread-safe.
/// </summary>
internal sealed class Authorizer(HttpClients clients, EndpointTable endpoints, RegistryOptions options, Credentials credentials)
{
    private const int DefaultSeconds = 60, AnswerLimit = 1024 * 1024;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly SortedSet<string> _scopes = new(StringComparer.Ordinal);
    private Challenge? _challenge;
    private Uri? _registry;
    private AuthenticationHeaderValue? _header;
    private DateTimeOffset _freshUntil = DateTimeOffset.MaxValue;

    /// <summary>Asks for rights beside those that challenges name, as <c>repository:NAME:pull,push</c>; the next token has them.</summary>
    public void Want(string scope)
    {
        lock (_scopes)
        {
            if (_scopes.Add(scope))
            {
                _freshUntil = DateTimeOffset.MinValue;
            }
        }
    }

    /// <summary>What to send with a request; null as long as nothing was asked for.</summary>
    public async Task<AuthenticationHeaderValue?> HeaderAsync(CancellationToken cancel)
    {
        if (_challenge is not { IsBearer: true } || DateTimeOffset.UtcNow < _freshUntil)
        {
            return _header;
        }

        await AnswerAsync(_challenge, _header, _registry!, cancel);
        return _header;
    }

    /// <summary>After a 401: gets what was asked for.</summary>
    /// <param name="sent">What the refused request had; when another request has got something newer since, that serves.</param>
    /// <returns>False when there is nothing better than what was refused.</returns>
    public async Task<bool> AnswerAsync(Challenge challenge, AuthenticationHeaderValue? sent, Uri registry, CancellationToken cancel)
    {
        await _gate.WaitAsync(cancel);
        try
        {
            if (!Equals(_header, sent) && DateTimeOffset.UtcNow < _freshUntil)
            {
                return true;
            }

            (_challenge, _registry) = (challenge, registry);
            if (!challenge.IsBearer)
            {
                if (credentials.Username.Length == 0)
                {
                    const string Reason = "no basic auth credentials";
                    throw new RegistryException(RegistryErrorKind.Unauthorized, $"{registry}: {Reason}") { Reason = Reason };
                }

                _header = Basic();
                return !_header.Equals(sent);
            }

            if (credentials.RegistryToken.Length > 0)
            {
                _header = new AuthenticationHeaderValue("Bearer", credentials.RegistryToken);
                return !_header.Equals(sent);
            }

            await FetchAsync(challenge, registry, cancel);
            return true;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task FetchAsync(Challenge challenge, Uri registry, CancellationToken cancel)
    {
        var realm = Realm(challenge, registry);
        var service = challenge.Parameters.GetValueOrDefault("service", "");
        List<string> scopes;
        lock (_scopes)
        {
            foreach (var scope in challenge.Parameters.GetValueOrDefault("scope", "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                _scopes.Add(scope);
            }

            scopes = [.. _scopes];
        }

        using var request = credentials.IdentityToken.Length > 0 ? Refresh(realm, service, scopes) : Ask(realm, service, scopes);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(options.AnswerTimeout);
        try
        {
            using var answer = await clients.For(realm).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            if (answer.StatusCode != HttpStatusCode.OK)
            {
                throw await Answers.ErrorAsync(answer, $"token server {realm.GetLeftPart(UriPartial.Path)}", patience.Token);
            }

            var token = await Answers.JsonAsync(answer, RegistryJson.Default.TokenAnswer, AnswerLimit, patience.Token);
            var text = token.Token is { Length: > 0 } t ? t : token.AccessToken is { Length: > 0 } a ? a
                : throw new RegistryException(RegistryErrorKind.InvalidAnswer,
                    $"token server {realm.GetLeftPart(UriPartial.Path)}: its answer has no token");

            // A third of its life is kept in hand, as an upload takes its time.
            var seconds = Math.Max(token.ExpiresIn ?? DefaultSeconds, DefaultSeconds);
            (_header, _freshUntil) = (new AuthenticationHeaderValue("Bearer", text), DateTimeOffset.UtcNow.AddSeconds(seconds * 2 / 3.0));
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw Transport.Unreachable(request.Method, realm, e, options);
        }
    }

    private Uri Realm(Challenge challenge, Uri registry)
    {
        var text = challenge.Parameters.GetValueOrDefault("realm", "");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var realm) || realm.Scheme is not ("http" or "https"))
        {
            throw new RegistryException(RegistryErrorKind.InvalidAnswer, $"{registry}: it names no token server, but \"{text}\"");
        }

        return realm.Scheme == "https" || registry.Scheme == "http" || endpoints.IsInsecure(realm.Authority) ? realm
            : throw new RegistryException(RegistryErrorKind.InvalidAnswer, $"{registry}: its token server {realm} is not reached by https");
    }

    private HttpRequestMessage Ask(Uri realm, string service, List<string> scopes)
    {
        var query = new StringBuilder(realm.Query.TrimStart('?'));
        void Add(string name, string value) => query.Append(query.Length > 0 ? "&" : "").Append(name).Append('=')
            .Append(Uri.EscapeDataString(value));
        if (credentials.Username.Length > 0)
        {
            Add("account", credentials.Username);
        }

        scopes.ForEach(scope => Add("scope", scope));
        if (service.Length > 0)
        {
            Add("service", service);
        }

        var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(realm) { Query = query.ToString() }.Uri);
        request.Headers.Authorization = credentials.Username.Length > 0 ? Basic() : null;
        return request;
    }

    private HttpRequestMessage Refresh(Uri realm, string service, List<string> scopes) => new(HttpMethod.Post, realm)
    {
        Content = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "refresh_token",
            ["refresh_token"] = credentials.IdentityToken,
            ["service"] = service,
            ["scope"] = string.Join(' ', scopes),
            ["client_id"] = "sampan",
        }),
    };

    private AuthenticationHeaderValue Basic() =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.Username}:{credentials.Password}")));
}
