using Sampan.Dockerfile.Parsing;

namespace Sampan.Dockerfile.Instructions;

/// <summary>Syntax to meaning: checks the number of arguments, the flags and the forms of each instruction.</summary>
public static class InstructionParser
{
    private static readonly string[] Keywords =
    [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL",
        "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ];

    /// <summary>Understands one instruction.</summary>
    /// <exception cref="DockerfileException">With line and excerpt.</exception>
    public static Instruction Parse(Node node, DockerfileSource source)
    {
        try
        {
            return Parse(node);
        }
        catch (FormatException e)
        {
            throw source.Error(e.Message, node.Lines);
        }
    }

    internal static Instruction Parse(Node node)
    {
        switch (node.Keyword)
        {
            case "from": return From(node);
            case "arg": return Arg(node);
            case "env": return new EnvInstruction(node, Pairs(node));
            case "label": return new LabelInstruction(node, Pairs(node));
            case "run": return Run(node);
            case "cmd": return new CmdInstruction(node, Command(node));
            case "entrypoint": return new EntrypointInstruction(node, Command(node));
            case "copy" or "add": return TransferParser.Parse(node);
            case "healthcheck": return Healthcheck(node);
            case "onbuild": return Onbuild(node);
            case "maintainer": return new MaintainerInstruction(node, One(node));
            case "workdir": return new WorkdirInstruction(node, One(node));
            case "user": return new UserInstruction(node, One(node));
            case "stopsignal": return new StopSignalInstruction(node, One(node));
            case "volume": return new VolumeInstruction(node, Volumes(node));
            case "expose": return new ExposeInstruction(node, AtLeastOne(node));
            case "shell": return new ShellInstruction(node, Shell(node));
            default: throw new FormatException($"unknown instruction: {node.Name}{Suggestion.For(node.Name, Keywords)}");
        }
    }

    private static FromInstruction From(Node node)
    {
        var flags = new FlagReader(node, "platform");
        var words = node.Arguments;
        if (words.Count is not (1 or 3) || (words.Count == 3 && !words[1].Equals("as", StringComparison.OrdinalIgnoreCase)))
        {
            throw new FormatException("FROM requires either one or three arguments");
        }

        var stage = words.Count == 3 ? words[2].ToLowerInvariant() : null;
        return stage is null || IsStageName(stage) ? new(node, words[0], flags.Text("platform"), stage)
            : throw new FormatException($"invalid name for build stage: '{words[2]}', name can't start with a number or contain symbols");
    }

    private static ArgInstruction Arg(Node node) => new(node, [.. AtLeastOne(node).Select(word =>
    {
        var equals = word.IndexOf('=');
        return equals == 0 || word.Length == 0 ? throw new FormatException("ARG names can not be blank")
            : new NameValue(equals < 0 ? word : word[..equals], equals < 0 ? null : word[(equals + 1)..]);
    })]);

    private static IReadOnlyList<NameValue> Pairs(Node node)
    {
        var words = AtLeastOne(node);
        List<NameValue> pairs = [];
        for (var i = 0; i < words.Count; i += 3)
        {
            pairs.Add(words[i].Length > 0 ? new(words[i], words[i + 1])
                : throw new FormatException($"{node.Keyword.ToUpperInvariant()} names can not be blank"));
        }

        return pairs;
    }

    private static RunInstruction Run(Node node)
    {
        var flags = new FlagReader(node, "mount*", "network", "security");
        var network = flags.Text("network") ?? "default";
        var security = flags.Text("security") ?? "sandbox";
        if (network is not ("default" or "none" or "host"))
        {
            throw new FormatException($"invalid network mode '{network}' (default, none or host)");
        }

        if (security is not ("sandbox" or "insecure"))
        {
            throw new FormatException($"invalid security mode '{security}' (sandbox or insecure)");
        }

        return node.Arguments.Count == 0 ? throw new FormatException("RUN requires at least one argument")
            : new(node, new(node.Arguments, !node.IsJson), [.. flags.Texts("mount").Select(MountOptions.Parse)], network, security);
    }

    private static CommandLine Command(Node node)
    {
        _ = new FlagReader(node);
        return node.IsJson || node.Arguments.Count > 0 ? new(node.Arguments, !node.IsJson)
            : throw new FormatException($"{node.Keyword.ToUpperInvariant()} requires at least one argument");
    }

    private static HealthcheckInstruction Healthcheck(Node node)
    {
        var flags = new FlagReader(node, "interval", "timeout", "start-period", "start-interval", "retries");
        if (node.Arguments.Count == 0)
        {
            throw new FormatException("HEALTHCHECK requires at least one argument");
        }

        var kind = node.Arguments[0].ToUpperInvariant();
        var command = node.Arguments.Skip(1).ToList();
        switch (kind)
        {
            case "NONE":
                return command.Count + node.Flags.Count == 0 ? new(node, ["NONE"]) : throw new FormatException("HEALTHCHECK NONE takes no arguments");
            case "CMD" when command.Count == 0:
                throw new FormatException("missing command after HEALTHCHECK CMD");
            case "CMD":
                break;
            default:
                throw new FormatException($"unknown type '{node.Arguments[0]}' in HEALTHCHECK (try CMD)");
        }

        return new(node, [node.IsJson ? "CMD" : "CMD-SHELL", .. command])
        {
            Interval = Duration(flags, "interval"),
            Timeout = Duration(flags, "timeout"),
            StartPeriod = Duration(flags, "start-period"),
            StartInterval = Duration(flags, "start-interval"),
            Retries = flags.Text("retries") switch
            {
                null => null,
                var text when int.TryParse(text, out var number) && number >= 0 => number,
                var text => throw new FormatException($"--retries must be a number that is not negative, not '{text}'"),
            },
        };
    }

    private static TimeSpan? Duration(FlagReader flags, string name)
    {
        if (flags.Text(name) is not { } text)
        {
            return null;
        }

        var value = GoDuration.Parse(text);
        return value == TimeSpan.Zero || value >= TimeSpan.FromMilliseconds(1) ? value
            : throw new FormatException($"--{name} '{text}' can not be less than 1ms");
    }

    private static OnbuildInstruction Onbuild(Node node)
    {
        _ = new FlagReader(node);
        var trigger = node.Trigger ?? throw new FormatException("ONBUILD requires at least one argument");
        return trigger.Keyword is "onbuild" or "from" or "maintainer"
            ? throw new FormatException($"{trigger.Keyword.ToUpperInvariant()} isn't allowed as an ONBUILD trigger")
            : new(node, trigger.FullText, Parse(trigger));
    }

    private static IReadOnlyList<string> Volumes(Node node) => AtLeastOne(node).Any(string.IsNullOrWhiteSpace)
        ? throw new FormatException("VOLUME specified can not be an empty string") : node.Arguments;

    private static IReadOnlyList<string> Shell(Node node)
    {
        _ = new FlagReader(node);
        return !node.IsJson ? throw new FormatException("SHELL requires the arguments to be in JSON form")
            : node.Arguments.Count > 0 ? node.Arguments : throw new FormatException("SHELL requires at least one argument");
    }

    private static IReadOnlyList<string> AtLeastOne(Node node)
    {
        _ = new FlagReader(node);
        return node.Arguments.Count > 0 ? node.Arguments
            : throw new FormatException($"{node.Keyword.ToUpperInvariant()} requires at least one argument");
    }

    private static string One(Node node)
    {
        _ = new FlagReader(node);
        return node.Arguments.Count == 1 ? node.Arguments[0]
            : throw new FormatException($"{node.Keyword.ToUpperInvariant()} requires exactly one argument");
    }

    private static bool IsStageName(string name) =>
        char.IsAsciiLetterLower(name[0]) && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.');
}
