using System.Globalization;
using System.Text;

namespace Sampan.Cli.Templates;

internal enum TokenKind
{
    Text,
    Open,
    Close,
    Word,
    Field,
    Variable,
    Number,
    Character,
    String,
    Symbol,
    Space,
    End,
}

/// <summary>A token; <paramref name="Value"/> is its meaning (a string without its quotes), <paramref name="Raw"/> its spelling.</summary>
internal readonly record struct Token(TokenKind Kind, string Value, string Raw, int Position);

/// <summary>Cuts a Go template into text and the tokens of its actions, applying the trim markers.</summary>
internal sealed class Lexer(string source)
{
    private readonly List<Token> _tokens = [];
    private int _at;

    public static List<Token> Run(string source) => new Lexer(source).All();

    private List<Token> All()
    {
        var trimNext = false;
        while (true)
        {
            var open = source.IndexOf("{{", _at, StringComparison.Ordinal);
            var text = open < 0 ? source[_at..] : source[_at..open];
            var trimLeft = open >= 0 && open + 3 < source.Length && source[open + 2] == '-' && IsSpace(source[open + 3]);
            if (trimNext) text = text.TrimStart(' ', '\t', '\r', '\n');
            if (trimLeft) text = text.TrimEnd(' ', '\t', '\r', '\n');
            if (text.Length > 0) Add(TokenKind.Text, text, text, _at);
            if (open < 0) break;
            _at = open + (trimLeft ? 4 : 2);
            trimNext = source.AsSpan(_at).StartsWith("/*") ? Comment() : Action(open);
        }

        Add(TokenKind.End, "", "EOF", source.Length);
        return _tokens;
    }

    private bool Comment()
    {
        var end = source.IndexOf("*/", _at, StringComparison.Ordinal);
        if (end < 0) throw Fail("unclosed comment", _at);
        _at = end + 2;
        var rest = source.AsSpan(_at);
        if (rest.StartsWith(" -}}"))
        {
            _at += 4;
            return true;
        }

        if (!rest.StartsWith("}}")) throw Fail("comment ends before closing delimiter", _at);
        _at += 2;
        return false;
    }

    /// <summary>Reads up to <c>}}</c>; returns whether the text after it is to be trimmed.</summary>
    private bool Action(int open)
    {
        Add(TokenKind.Open, "{{", "{{", open);
        while (true)
        {
            if (_at >= source.Length) throw Fail("unclosed action", _at);
            var rest = source.AsSpan(_at);
            var trim = IsSpace(rest[0]) && rest[1..].StartsWith("-}}");
            if (trim || rest.StartsWith("}}"))
            {
                Add(TokenKind.Close, "}}", "}}", _at);
                _at += trim ? 4 : 2;
                return trim;
            }

            Inside(rest[0]);
        }
    }

    private void Inside(char c)
    {
        var start = _at;
        if (IsSpace(c))
        {
            while (_at < source.Length && IsSpace(source[_at]) && !source.AsSpan(_at).StartsWith(" -}}")) _at++;
            Add(TokenKind.Space, " ", " ", start);
        }
        else if (c is '"' or '`')
        {
            Quoted(c);
        }
        else if (c == '\'')
        {
            CharacterConstant();
        }
        else if (c == '.' && !(start + 1 < source.Length && char.IsAsciiDigit(source[start + 1])))
        {
            _at++;
            TakeName();
            Add(TokenKind.Field, source[(start + 1).._at], source[start.._at], start);
        }
        else if (c == '$')
        {
            _at++;
            TakeName();
            Add(TokenKind.Variable, source[start.._at], source[start.._at], start);
        }
        else if (char.IsAsciiDigit(c) || c is '.' || c is '+' or '-' && start + 1 < source.Length && char.IsAsciiDigit(source[start + 1]))
        {
            _at++;
            while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] is '.' or '_')) _at++;
            Add(TokenKind.Number, source[start.._at], source[start.._at], start);
        }
        else if (char.IsLetter(c) || c == '_')
        {
            TakeName();
            Add(TokenKind.Word, source[start.._at], source[start.._at], start);
        }
        else
        {
            _at += source.AsSpan(start).StartsWith(":=") ? 2 : 1;
            var symbol = source[start.._at];
            if (symbol is not (":=" or "=" or "|" or "," or "(" or ")"))
            {
                throw Fail($"unexpected {Quote(symbol)} in command", start);
            }

            Add(TokenKind.Symbol, symbol, symbol, start);
        }
    }

    private void TakeName()
    {
        while (_at < source.Length && (char.IsLetterOrDigit(source[_at]) || source[_at] == '_')) _at++;
    }

    private void Quoted(char quote)
    {
        var start = _at++;
        var value = new StringBuilder();
        while (true)
        {
            if (_at >= source.Length || quote == '"' && source[_at] == '\n')
            {
                throw Fail(quote == '"' ? "unterminated quoted string" : "unterminated raw quoted string", start);
            }

            var c = source[_at++];
            if (c == quote) break;
            if (c == '\\' && quote == '"') Escape(value, start);
            else value.Append(c);
        }

        Add(TokenKind.String, value.ToString(), source[start.._at], start);
    }

    private void CharacterConstant()
    {
        var start = _at++;
        var value = new StringBuilder();
        while (_at < source.Length && source[_at] is not ('\'' or '\n'))
        {
            if (source[_at++] == '\\') Escape(value, start);
            else value.Append(source[_at - 1]);
        }

        if (_at >= source.Length || source[_at] != '\'') throw Fail("unterminated character constant", start);
        _at++;
        if (value.Length == 0) throw Fail($"malformed character constant: {source[start.._at]}", start);
        Add(TokenKind.Character, value.ToString(), source[start.._at], start);
    }

    private void Escape(StringBuilder value, int start)
    {
        if (_at >= source.Length) throw Fail("unterminated quoted string", start);
        var c = source[_at++];
        switch (c)
        {
            case 'n': value.Append('\n'); break;
            case 't': value.Append('\t'); break;
            case 'r': value.Append('\r'); break;
            case 'a': value.Append('\a'); break;
            case 'b': value.Append('\b'); break;
            case 'f': value.Append('\f'); break;
            case 'v': value.Append('\v'); break;
            case '\\' or '"' or '\'': value.Append(c); break;
            case 'x': Hex(value, 2, start); break;
            case 'u': Hex(value, 4, start); break;
            case 'U': Hex(value, 8, start); break;
            default: throw Fail("invalid syntax", start);
        }
    }

    private void Hex(StringBuilder value, int digits, int start)
    {
        if (_at + digits > source.Length
            || !uint.TryParse(source.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || !Rune.TryCreate(code, out var rune))
        {
            throw Fail("invalid syntax", start);
        }

        value.Append(rune.ToString());
        _at += digits;
    }

    private void Add(TokenKind kind, string value, string raw, int position) => _tokens.Add(new Token(kind, value, raw, position));

    private static bool IsSpace(char c) => c is ' ' or '\t' or '\r' or '\n';

    private static string Quote(string text) => CommandLine.FlagValues.Quote(text);

    private TemplateException Fail(string message, int position)
        => new($"template: :{TemplateParser.LineOf(source, position)}: {message}", whileParsing: true);
}
