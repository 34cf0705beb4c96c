using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;

namespace Sampan.Registry.Serving;

/// <summary>
/// Who may use a served registry: the users of a file of htpasswd, by basic authentication. As with docker-registry only bcrypt is taken
/// (<c>htpasswd -B</c>): the others can be guessed too fast.
/// </summary>
public sealed class BasicAccess
{
    public const string Challenge = "Basic realm=\"sampan registry\"";

    private readonly Dictionary<string, string> _hashes = new(StringComparer.Ordinal);
    private readonly Func<string, string, bool> _verify;

    /// <summary>Headers that were right: bcrypt is slow by design, and a push has many requests.</summary>
    private readonly ConcurrentDictionary<string, bool> _allowed = new(StringComparer.Ordinal);

    /// <param name="htpasswd">Lines of <c>USER:HASH</c>; blank ones and those with <c>#</c> are none.</param>
    /// <param name="verify">Whether a password has a hash.</param>
    /// <exception cref="FormatException">A line is not of that form.</exception>
    public BasicAccess(string htpasswd, Func<string, string, bool> verify)
    {
        _verify = verify;
        foreach (var (line, number) in htpasswd.Split('\n').Select((l, i) => (l.Trim(), i + 1)).Where(l => l.Item1.Length > 0 && l.Item1[0] != '#'))
        {
            var parts = line.Split(':', 2);
            _hashes[parts[0]] = parts is [_, ['$', '2', 'a' or 'b' or 'y', '$', ..] hash] ? hash.TrimEnd()
                : throw new FormatException($"htpasswd, line {number}: want USER:HASH with a hash of bcrypt, as 'htpasswd -B' writes it");
        }

        if (_hashes.Count == 0)
        {
            throw new FormatException("htpasswd: it names no user, so nobody could get in");
        }
    }

    public bool Allows(AuthenticationHeaderValue? header)
    {
        if (header is not { Scheme: var scheme, Parameter: { } parameter } || !scheme.Equals("basic", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        return _allowed.ContainsKey(parameter) || (IsRight(parameter) && (_allowed[parameter] = true));
    }

    private bool IsRight(string parameter)
    {
        var bytes = new byte[parameter.Length];
        if (!Convert.TryFromBase64String(parameter, bytes, out var length)
            || Encoding.UTF8.GetString(bytes, 0, length).Split(':', 2) is not [var user, var password] || password.Contains('\0'))
        {
            return false;
        }

        // A user who is not known takes as long as one who is.
        return _verify(password, _hashes.GetValueOrDefault(user) ?? _hashes.Values.First()) & _hashes.ContainsKey(user);
    }
}
