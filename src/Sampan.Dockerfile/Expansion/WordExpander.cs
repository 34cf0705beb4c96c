using System.Text;

namespace Sampan.Dockerfile.Expansion;

/// <summary>
/// Dockerfile's substitution of variables, quotes and escapes, as the reference has it. The same words may be had whole
/// (<see cref="Expand"/>) or cut at blanks that are not quoted (<see cref="ExpandToWords"/>).
/// </summary>
/// <param name="escape">The Dockerfile's escape character.</param>
public sealed class WordExpander(char escape)
{
    /// <summary>Keep the quotation marks.</summary>
    public bool KeepQuotes { get; init; }

    /// <summary>Keep the escape characters.</summary>
    public bool KeepEscapes { get; init; }

    /// <summary>Keep <c>$name</c> where a plain variable is not set.</summary>
    public bool KeepUnset { get; init; }

    /// <summary>Quotes are text, as in a heredoc, and an escape is one only before a dollar or itself.</summary>
    public bool IgnoreQuotes { get; init; }

    /// <summary>Hears of every variable that is used but not set, where nothing in the word says what to take instead.</summary>
    public Action<string>? OnUnset { get; init; }

    public DockerfileLimits Limits { get; init; } = DockerfileLimits.Default;

    /// <summary>Expands into one word.</summary>
    /// <param name="lookup">A variable's value, null when it is not set.</param>
    /// <exception cref="ExpansionException">The word is malformed or a required variable is missing.</exception>
    public string Expand(string word, Func<string, string?> lookup)
    {
        var scan = new Scan(this, word, lookup, escape);
        scan.Run();
        return scan.Whole;
    }

    /// <summary>Expands and cuts at unquoted blanks, those that variables bring included.</summary>
    /// <inheritdoc cref="Expand"/>
    public IReadOnlyList<string> ExpandToWords(string text, Func<string, string?> lookup)
    {
        var scan = new Scan(this, text, lookup, escape);
        scan.Run();
        return scan.Words;
    }

    /// <summary>One pass over a text. Output goes to the whole text and to the words at the same time.</summary>
    private sealed class Scan(WordExpander options, string text, Func<string, string?> lookup, char escape)
    {
        private const char End = '\uFFFF'; // not a character, so that no case matches it

        private readonly StringBuilder _whole = new();
        private readonly StringBuilder _word = new();
        private readonly List<string> _words = [];
        private int _position;
        private int _depth;

        public string Whole => _whole.ToString();

        public IReadOnlyList<string> Words
        {
            get
            {
                EndWord();
                return _words;
            }
        }

        private bool AtEnd => _position >= text.Length;

        private char Peek => AtEnd ? End : text[_position];

        public void Run()
        {
            while (!AtEnd)
            {
                Step();
            }
        }

        private void Step()
        {
            switch (Peek)
            {
                case '\'' when !options.IgnoreQuotes:
                    Emit(SingleQuoted(), split: false);
                    break;
                case '"' when !options.IgnoreQuotes:
                    Emit(DoubleQuoted(), split: false);
                    break;
                case '$':
                    Emit(Dollar(), split: true);
                    break;
                default:
                    var plain = Plain(options.KeepEscapes, out var escaped);
                    Emit(plain, split: !escaped);
                    break;
            }
        }

        private void Emit(string part, bool split)
        {
            if (_whole.Length + part.Length > options.Limits.MaxExpandedChars)
            {
                throw new ExpansionException($"the expanded text is longer than {options.Limits.MaxExpandedChars:N0} characters");
            }

            _whole.Append(part);
            foreach (var c in part)
            {
                if (split && char.IsWhiteSpace(c))
                {
                    EndWord();
                }
                else
                {
                    _word.Append(c);
                }
            }
        }

        private void EndWord()
        {
            if (_word.Length > 0)
            {
                _words.Add(_word.ToString());
                _word.Clear();
            }
        }

        /// <summary>One character, or an escaped one.</summary>
        private string Plain(bool keepEscape, out bool escaped)
        {
            var c = text[_position++];
            escaped = c == escape;
            if (!escaped)
            {
                return c.ToString();
            }

            var isText = options.IgnoreQuotes && Peek != '$' && Peek != escape;
            var mark = keepEscape || isText ? escape.ToString() : "";
            return AtEnd ? mark : mark + text[_position++];
        }

        private string SingleQuoted()
        {
            var start = _position++;
            var close = text.IndexOf('\'', _position);
            if (close < 0)
            {
                throw new ExpansionException("unexpected end of statement while looking for matching single-quote");
            }

            _position = close + 1;
            return options.KeepQuotes ? text[start.._position] : text[(start + 1)..close];
        }

        private string DoubleQuoted()
        {
            var result = new StringBuilder(options.KeepQuotes ? "\"" : "");
            _position++;
            while (!AtEnd)
            {
                var c = text[_position];
                if (c == '"')
                {
                    _position++;
                    return result.Append(options.KeepQuotes ? "\"" : "").ToString();
                }

                if (c == '$')
                {
                    result.Append(Dollar());
                    continue;
                }

                _position++;
                if (c != escape)
                {
                    result.Append(c);
                    continue;
                }

                if (AtEnd)
                {
                    break;
                }

                // Within double quotes an escape is only one before a quote, a dollar or itself.
                var next = text[_position++];
                if (options.KeepEscapes || (next != '"' && next != '$' && next != escape))
                {
                    result.Append(c);
                }

                result.Append(next);
            }

            throw new ExpansionException("unexpected end of statement while looking for matching double-quote");
        }

        private string Dollar()
        {
            _position++;
            if (Peek != '{')
            {
                var name = Name();
                return name.Length == 0 ? "$" : Value(name) ?? (options.KeepUnset ? "$" + name : "");
            }

            if (++_depth > options.Limits.MaxNesting)
            {
                throw new ExpansionException($"substitutions are nested deeper than {options.Limits.MaxNesting}");
            }

            _position++;
            var value = Braced();
            _depth--;
            return value;
        }

        /// <summary>What follows <c>${</c>, up to and with the closing brace.</summary>
        private string Braced()
        {
            var name = Name();
            if (AtEnd)
            {
                throw new ExpansionException("missing '}' in substitution");
            }

            if (name.Length == 0)
            {
                throw new ExpansionException("bad substitution: a variable's name must follow '${'");
            }

            var modifier = text[_position++];
            var value = modifier is '}' or '#' or '%' or '/' ? Value(name) : lookup(name);
            switch (modifier)
            {
                case '}':
                    return value ?? (options.KeepUnset ? $"${{{name}}}" : "");
                case ':':
                    var kind = AtEnd ? throw new ExpansionException("missing modifier in substitution") : text[_position++];
                    return Default(name, value, kind, emptyIsUnset: true, $":{kind}");
                case '+' or '-' or '?':
                    return Default(name, value, modifier, emptyIsUnset: false, $"{modifier}");
                case '#' or '%':
                    var greedy = Peek == modifier;
                    _position += greedy ? 1 : 0;
                    var pattern = Until('}', keepEscapes: true);
                    return value is null ? "" : modifier == '#'
                        ? ShellPattern.TrimStart(value, pattern, greedy) : ShellPattern.TrimEnd(value, pattern, greedy);
                case '/':
                    var all = Peek == '/';
                    _position += all ? 1 : 0;
                    var search = Until('/', keepEscapes: true);
                    var replacement = Until('}', keepEscapes: false);
                    return value is null ? "" : ShellPattern.Replace(value, search, replacement, all);
                default:
                    throw new ExpansionException($"unsupported modifier '{modifier}' in substitution");
            }
        }

        private string? Value(string name)
        {
            var value = lookup(name);
            if (value is null)
            {
                options.OnUnset?.Invoke(name);
            }

            return value;
        }

        private string Default(string name, string? value, char kind, bool emptyIsUnset, string modifier)
        {
            if (kind is not ('+' or '-' or '?'))
            {
                throw new ExpansionException($"unsupported modifier '{modifier}' in substitution");
            }

            var word = Until('}', keepEscapes: options.KeepEscapes);
            var isSet = value is not null && !(emptyIsUnset && value.Length == 0);
            return kind switch
            {
                '+' => isSet ? word : "",
                '-' => isSet ? value! : word,
                _ when isSet => value!,
                _ when word.Length > 0 => throw new ExpansionException($"{name}: {word}"),
                _ => throw new ExpansionException($"{name}: not allowed to be {(value is null ? "unset" : "empty")}"),
            };
        }

        /// <summary>Expands up to a character that is not quoted or escaped, and eats that.</summary>
        private string Until(char stop, bool keepEscapes)
        {
            var result = new StringBuilder();
            while (!AtEnd && Peek != stop)
            {
                result.Append(Peek switch
                {
                    '\'' => SingleQuoted(),
                    '"' => DoubleQuoted(),
                    '$' => Dollar(),
                    _ => Plain(keepEscapes, out bool _),
                });
            }

            if (AtEnd)
            {
                throw new ExpansionException($"unexpected end of statement while looking for matching '{stop}'");
            }

            _position++;
            return result.ToString();
        }

        /// <summary>A name: letters, digits and underscores; or a number; or one of the shell's special parameters.</summary>
        private string Name()
        {
            var start = _position;
            if (char.IsAsciiDigit(Peek))
            {
                while (char.IsAsciiDigit(Peek))
                {
                    _position++;
                }
            }
            else if (Peek is '@' or '*' or '#' or '?' or '-' or '$' or '!')
            {
                _position++;
            }
            else
            {
                while (!AtEnd && (char.IsLetterOrDigit(Peek) || Peek == '_'))
                {
                    _position++;
                }
            }

            return text[start.._position];
        }
    }
}
