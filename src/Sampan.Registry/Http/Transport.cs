using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Sampan.Registry;

/// <summary>
/// Requests to one registry for one user: credentials when they are asked for, redirects, time-outs, and another attempt after a pause when
/// the registry is busy (429, 5xx) or the connection breaks.
/// </summary>
internal sealed class Transport(HttpClients clients, RegistryOptions options, Authorizer authorizer, Uri registry)
{
    private const int RedirectLimit = 10;

    public Authorizer Authorizer => authorizer;

    /// <summary>Sends a request until it is answered for good; the answer may be a refusal. The body is left to the caller.</summary>
    /// <param name="make">Makes the request, again for each attempt.</param>
    /// <param name="once">Its body cannot be sent twice, or it must not be.</param>
    /// <exception cref="RegistryException">Unavailable, or its credentials are not accepted.</exception>
    public async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, bool once, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            HttpResponseMessage answer;
            try
            {
                answer = await AuthorizedAsync(make, once, cancel);
            }
            catch (BrokenException) when (!once && attempt < options.MaxAttempts)
            {
                await Task.Delay(Pause(attempt), cancel);
                continue;
            }
            catch (BrokenException e)
            {
                throw e.Reported;
            }

            if (once || attempt >= options.MaxAttempts || answer.StatusCode is not (
                HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError)
                || answer.StatusCode == HttpStatusCode.NotImplemented || (Asked(answer) ?? Pause(attempt)) is var pause
                && pause > options.MaxPause)
            {
                return answer;
            }

            answer.Dispose();
            await Task.Delay(pause, cancel);
        }
    }

    /// <summary>The pause before another attempt, a little different each time so that many clients do not come back together.</summary>
    public TimeSpan Pause(int attempt)
    {
        var pause = options.FirstPause * Math.Pow(2, Math.Min(attempt - 1, 16)) * (0.75 + (Random.Shared.NextDouble() / 2));
        return pause < options.MaxPause ? pause : options.MaxPause;
    }

    /// <summary>An error for a request that got no answer.</summary>
    public static RegistryException Unreachable(HttpMethod method, Uri uri, Exception e, RegistryOptions options)
    {
        var cause = e switch
        {
            OperationCanceledException => $"no answer within {options.AnswerTimeout.TotalSeconds:0.#} s",
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => $"lookup {uri.Host}: no such host",
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
                $"{Innermost(e).Message.TrimEnd('.')} (if the registry speaks plain HTTP or has a certificate of its own, see "
                + $"insecure-registries and certs.d)",
            _ when Innermost(e) is SocketException socket => $"connect {uri.Authority}: {socket.Message.ToLowerInvariant()}",
            _ => Innermost(e).Message.TrimEnd('.'),
        };
        return new RegistryException(RegistryErrorKind.Unavailable, $"{Verb(method)} \"{uri}\": {cause}", e);
    }

    private static string Verb(HttpMethod method) => method.Method[..1] + method.Method[1..].ToLowerInvariant();

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;

    private static TimeSpan? Asked(HttpResponseMessage answer) => answer.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - DateTimeOffset.UtcNow is var wait && wait > TimeSpan.Zero ? wait : TimeSpan.Zero,
        _ => null,
    };

    private async Task<HttpResponseMessage> AuthorizedAsync(Func<HttpRequestMessage> make, bool once, CancellationToken cancel)
    {
        while (true)
        {
            var header = await authorizer.HeaderAsync(cancel);
            var answer = await RedirectedAsync(make, header, cancel);
            if (answer.StatusCode != HttpStatusCode.Unauthorized || once || Challenge.Of(answer.Headers) is not { } challenge)
            {
                return answer;
            }

            if (!await authorizer.AnswerAsync(challenge, header, answer.RequestMessage!.RequestUri!, cancel))
            {
                return answer;
            }

            answer.Dispose();
            header = await authorizer.HeaderAsync(cancel);
            return await RedirectedAsync(make, header, cancel);
        }
    }

    private async Task<HttpResponseMessage> RedirectedAsync(Func<HttpRequestMessage> make, AuthenticationHeaderValue? header,
        CancellationToken cancel)
    {
        Uri? target = null;
        for (var hops = 0; ; hops++)
        {
            var request = make();
            var origin = request.RequestUri!;
            request.RequestUri = target ?? origin;
            if (request.RequestUri.Authority == registry.Authority && request.RequestUri.Scheme == registry.Scheme)
            {
                // No other host gets them, be it by a redirect or the location of an upload.
                request.Headers.Authorization = header;
            }

            var answer = await OnceAsync(request, cancel);
            if (answer.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                    or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)
                || answer.Headers.Location is not { } location || (request.Method != HttpMethod.Get && request.Method != HttpMethod.Head))
            {
                return answer;
            }

            answer.Dispose();
            target = new Uri(request.RequestUri, location);
            if (hops == RedirectLimit || target.Scheme is not ("http" or "https"))
            {
                throw new RegistryException(RegistryErrorKind.InvalidAnswer, hops == RedirectLimit
                    ? $"{Verb(request.Method)} \"{origin}\": stopped after {RedirectLimit} redirects"
                    : $"{Verb(request.Method)} \"{origin}\": redirected to {target.Scheme}:, which is not followed");
            }
        }
    }

    private async Task<HttpResponseMessage> OnceAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(options.AnswerTimeout);
        if (request.Content is StreamedContent streamed)
        {
            // A large blob takes as long as it takes, if only it moves.
            streamed.Sending = () => patience.CancelAfter(options.AnswerTimeout);
        }

        try
        {
            return await clients.For(request.RequestUri!).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            if (e.InnerException is RegistryException or Store.StoreException)
            {
                // What the body was to be made of failed, not the connection.
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException);
            }

            var reported = Unreachable(request.Method, request.RequestUri!, e, options);
            throw IsBroken(e) ? new BrokenException(reported) : reported;
        }
    }

    /// <summary>True for what may go well the next time: a host that is not there or a bad certificate will be the same.</summary>
    private static bool IsBroken(Exception e) => e switch
    {
        HttpRequestException http =>
            http.HttpRequestError is HttpRequestError.ResponseEnded or HttpRequestError.Unknown or HttpRequestError.HttpProtocolError
            || Innermost(e) is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.TimedOut },
        IOException => true,
        _ => false,
    };

    /// <summary>The connection broke before the head of an answer.</summary>
    private sealed class BrokenException(RegistryException reported) : Exception(reported.Message, reported)
    {
        public RegistryException Reported { get; } = reported;
    }
}
