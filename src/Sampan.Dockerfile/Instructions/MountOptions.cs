using System.Globalization;

namespace Sampan.Dockerfile.Instructions;

/// <summary>One <c>RUN --mount=…</c>. Texts may hold variables.</summary>
public sealed record MountOptions
{
    private static readonly string[] Types = ["bind", "cache", "tmpfs", "secret", "ssh"];

    /// <summary>As written after <c>--mount=</c>.</summary>
    public required string Text { get; init; }

    /// <summary>bind, cache, tmpfs, secret or ssh.</summary>
    public string Type { get; init; } = "bind";

    public string? Target { get; init; }

    public string? Source { get; init; }

    /// <summary>Stage, image or context that a bind or cache takes its files from.</summary>
    public string? From { get; init; }

    public string? Id { get; init; }

    /// <summary>The environment variable that a secret goes to.</summary>
    public string? Env { get; init; }

    /// <summary>shared, private or locked (cache).</summary>
    public string Sharing { get; init; } = "shared";

    /// <summary>Null: the type's default (bind is read-only, cache is not).</summary>
    public bool? ReadOnly { get; init; }

    public bool Required { get; init; }

    /// <summary>Permission bits, e.g. 0755.</summary>
    public uint? Mode { get; init; }

    public uint? Uid { get; init; }

    public uint? Gid { get; init; }

    /// <summary>Bytes that a tmpfs may hold; 0 is no limit.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Reads <c>type=…,key=value,…</c>.</summary>
    /// <exception cref="FormatException">With the option that is wrong.</exception>
    public static MountOptions Parse(string text)
    {
        var mount = new MountOptions { Text = text };
        foreach (var field in Csv(text))
        {
            var equals = field.IndexOf('=');
            var key = (equals < 0 ? field : field[..equals]).Trim().ToLowerInvariant();
            mount = mount.With(key, equals < 0 ? null : field[(equals + 1)..], field);
        }

        return mount.Check();
    }

    private MountOptions With(string key, string? value, string field) => key switch
    {
        "readonly" or "ro" => this with { ReadOnly = Flag(value, field) },
        "readwrite" or "rw" => this with { ReadOnly = !Flag(value, field) },
        "required" => this with { Required = Flag(value, field) },
        _ when value is null && Keys.Contains(key) => throw new FormatException($"mount option '{field}' needs a value"),
        "type" => Types.Contains(value) ? this with { Type = value! }
            : throw new FormatException($"unsupported mount type '{value}'{Suggestion.For(value!, Types)}"),
        "target" or "dst" or "destination" => this with { Target = value },
        "source" or "src" => this with { Source = value },
        "from" => this with { From = value },
        "id" => this with { Id = value },
        "env" => this with { Env = value },
        "sharing" => value is "shared" or "private" or "locked" ? this with { Sharing = value }
            : throw new FormatException($"unsupported sharing value '{value}' (shared, private or locked)"),
        "mode" => this with { Mode = Octal(value!) },
        "uid" => this with { Uid = Number(key, value!) },
        "gid" => this with { Gid = Number(key, value!) },
        "size" => this with { SizeBytes = Size(value!) },
        _ => throw new FormatException($"unknown mount option '{key}'{Suggestion.For(key, [.. Keys, "readonly", "readwrite", "required"])}"),
    };

    private static readonly string[] Keys =
        ["type", "target", "dst", "destination", "source", "src", "from", "id", "env", "sharing", "mode", "uid", "gid", "size"];

    private MountOptions Check()
    {
        if (Target is null && Type is "bind" or "cache" or "tmpfs")
        {
            throw new FormatException($"mount of type '{Type}' needs a target");
        }

        var wrong = Type switch
        {
            not ("bind" or "cache") when From is not null => "from",
            not ("secret") when Env is not null => "env",
            not ("tmpfs") when SizeBytes != 0 => "size",
            "bind" or "tmpfs" when Mode is not null => "mode",
            "bind" or "tmpfs" when Uid is not null || Gid is not null => "uid and gid",
            "tmpfs" when Source is not null => "source",
            _ => null,
        };
        return wrong is null ? this : throw new FormatException($"a mount of type '{Type}' does not take '{wrong}'");
    }

    /// <summary>Fields between commas; one in double quotes may hold commas, and two quotes within are one.</summary>
    private static List<string> Csv(string text)
    {
        List<string> fields = [];
        var i = 0;
        while (i <= text.Length)
        {
            if (i < text.Length && text[i] == '"')
            {
                var field = "";
                for (i++; ; i++)
                {
                    var close = text.IndexOf('"', i);
                    if (close < 0)
                    {
                        throw new FormatException($"open quote in mount '{text}'");
                    }

                    field += text[i..close];
                    i = close + 1;
                    if (i >= text.Length || text[i] != '"')
                    {
                        break;
                    }

                    field += '"';
                }

                fields.Add(field);
                i++;
            }
            else
            {
                var comma = text.IndexOf(',', i);
                var end = comma < 0 ? text.Length : comma;
                fields.Add(text[i..end]);
                i = end + 1;
            }
        }

        return fields;
    }

    private static bool Flag(string? value, string field) => value is null or "true" or "1" ? true
        : value is "false" or "0" ? false : throw new FormatException($"mount option '{field}' must be true or false");

    private static uint Octal(string value)
    {
        try
        {
            return Convert.ToUInt32(value, 8);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new FormatException($"mount mode '{value}' is not an octal number");
        }
    }

    private static uint Number(string key, string value) => uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number : throw new FormatException($"mount option '{key}' must be a number, not '{value}'");

    private static long Size(string value)
    {
        var digits = value.TakeWhile(char.IsAsciiDigit).Count();
        var unit = value[digits..].ToLowerInvariant() switch
        {
            "" or "b" => 0,
            "k" or "kb" or "kib" => 10,
            "m" or "mb" or "mib" => 20,
            "g" or "gb" or "gib" => 30,
            _ => -1,
        };
        return unit >= 0 && long.TryParse(value.AsSpan(0, digits), out var number) && number <= long.MaxValue >> unit
            ? number << unit : throw new FormatException($"invalid size '{value}'");
    }
}
