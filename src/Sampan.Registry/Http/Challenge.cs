using System.Net.Http.Headers;

namespace Sampan.Registry;

/// <summary>What a registry wants to see: RFC 7235's <c>WWW-Authenticate</c>, of which registries use Basic and Bearer.</summary>
/// <param name="Parameters">By name in lower case.</param>
internal sealed record Challenge(bool IsBearer, IReadOnlyDictionary<string, string> Parameters)
{
    /// <summary>The strongest of those in an answer; null when there is none that we can meet.</summary>
    public static Challenge? Of(HttpResponseHeaders headers)
    {
        var all = headers.WwwAuthenticate.ToList();
        var chosen = all.Find(c => Is(c, "Bearer")) ?? all.Find(c => Is(c, "Basic"));
        return chosen is null ? null : new Challenge(Is(chosen, "Bearer"), Parse(chosen.Parameter ?? ""));
    }

    /// <summary>Takes <c>name="value", name=value</c> apart.</summary>
    internal static Dictionary<string, string> Parse(string text)
    {
        var parameters = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var at = 0; at < text.Length;)
        {
            var equals = text.IndexOf('=', at);
            if (equals < 0)
            {
                break;
            }

            var name = text[at..equals].Trim(' ', ',', '\t').ToLowerInvariant();
            var value = new System.Text.StringBuilder();
            at = equals + 1;
            if (at < text.Length && text[at] == '"')
            {
                for (at++; at < text.Length && text[at] != '"'; at++)
                {
                    at += text[at] == '\\' && at + 1 < text.Length ? 1 : 0;
                    value.Append(text[at]);
                }

                at++;
            }
            else
            {
                for (; at < text.Length && text[at] != ','; at++)
                {
                    value.Append(text[at]);
                }
            }

            parameters[name] = value.ToString().Trim();
            at = text.IndexOf(',', Math.Min(at, text.Length)) is >= 0 and var comma ? comma + 1 : text.Length;
        }

        return parameters;
    }

    private static bool Is(AuthenticationHeaderValue value, string scheme) =>
        value.Scheme.Equals(scheme, StringComparison.OrdinalIgnoreCase);
}
