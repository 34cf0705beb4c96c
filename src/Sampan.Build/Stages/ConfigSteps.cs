using System.Globalization;
using Sampan.Dockerfile.Instructions;
using Sampan.Oci;

namespace Sampan.Build.Stages;

/// <summary>The instructions that change only the image's configuration. Pure. Throws <see cref="FormatException"/> for bad values.</summary>
internal static class ConfigSteps
{
    /// <summary>Carries out an instruction; null when it is one that works on files.</summary>
    /// <param name="expand">Expands a word in the state before the instruction.</param>
    /// <param name="expandToWords">The same, cut into words.</param>
    /// <param name="inherited">The value of an argument that has no default here.</param>
    public static StageState? Apply(
        StageState state, Instruction instruction, Func<string, string> expand, Func<string, IReadOnlyList<string>> expandToWords,
        Func<string, string?> inherited, Func<string, string?> given)
    {
        switch (instruction)
        {
            case ArgInstruction arg:
                return Arg(state, arg, expand, inherited, given);
            case EnvInstruction env:
                return Env(state, Pairs(env.Pairs, expand));
            case LabelInstruction label:
                return Label(state, Pairs(label.Pairs, expand));
            case MaintainerInstruction maintainer:
                return (state with { Author = maintainer.Author }).WithHistory($"MAINTAINER {maintainer.Author}", true);
            case CmdInstruction cmd:
                var words = Command(state, cmd.Command);
                return (state with { HasCmd = true, Config = state.Config with { Cmd = words } }).WithHistory($"CMD {Json(words)}", true);
            case EntrypointInstruction entrypoint:
                // A CMD that came with the base belongs to the base's entrypoint.
                var program = Command(state, entrypoint.Command);
                return (state with { Config = state.Config with { Entrypoint = program, Cmd = state.HasCmd ? state.Config.Cmd : null } })
                    .WithHistory($"ENTRYPOINT {Json(program)}", true);
            case UserInstruction user:
                var name = expand(user.User);
                return (state with { Config = state.Config with { User = name } }).WithHistory($"USER {name}", true);
            case VolumeInstruction volume:
                return Volume(state, [.. volume.Paths.Select(expand)]);
            case ExposeInstruction expose:
                return Expose(state, [.. expose.Ports.SelectMany(expandToWords)]);
            case StopSignalInstruction stop:
                var signal = Signal(expand(stop.Signal));
                return (state with { Config = state.Config with { StopSignal = signal } }).WithHistory($"STOPSIGNAL {signal}", true);
            case ShellInstruction shell:
                return (state with { Config = state.Config with { Shell = shell.Shell } }).WithHistory($"SHELL {Json(shell.Shell)}", true);
            case HealthcheckInstruction check:
                return Healthcheck(state, check);
            case OnbuildInstruction onbuild:
                return (state with { Config = state.Config with { OnBuild = [.. state.Config.OnBuild ?? [], onbuild.Expression] } })
                    .WithHistory($"ONBUILD {onbuild.Expression}", true);
            default:
                return null;
        }
    }

    /// <summary>A command as the image or a container has it: the shell form behind the shell.</summary>
    public static IReadOnlyList<string> Command(StageState state, CommandLine command) =>
        command.IsShellForm ? [.. state.Shell, .. command.Words] : command.Words;

    /// <summary>A JSON array as history and error messages show it.</summary>
    public static string Json(IEnumerable<string> words) => $"[{string.Join(' ', words.Select(Quote))}]";

    private static StageState Arg(
        StageState state, ArgInstruction arg, Func<string, string> expand, Func<string, string?> inherited, Func<string, string?> given)
    {
        List<string> texts = [];
        foreach (var (name, fallback) in arg.Args)
        {
            var key = expand(name);
            var value = given(key) ?? (fallback is not null ? expand(fallback) : inherited(key));
            state = state.WithArg(key, value);
            texts.Add(value is null ? key : $"{key}={value}");
        }

        return state.WithHistory($"ARG {string.Join(' ', texts)}", true);
    }

    private static List<(string Name, string Value)> Pairs(IReadOnlyList<NameValue> pairs, Func<string, string> expand) =>
        [.. pairs.Select(p => (expand(p.Name), expand(p.Value!)))];

    private static StageState Env(StageState state, List<(string Name, string Value)> pairs)
    {
        foreach (var (name, value) in pairs)
        {
            state = name.Length > 0 ? state.WithEnv(name, value) : throw new FormatException("ENV names can not be blank");
        }

        return state.WithHistory($"ENV {string.Join(' ', pairs.Select(p => $"{p.Name}={p.Value}"))}", true);
    }

    private static StageState Label(StageState state, List<(string Name, string Value)> pairs)
    {
        var labels = new SortedDictionary<string, string>(state.Config.Labels ?? [], StringComparer.Ordinal);
        foreach (var (name, value) in pairs)
        {
            labels[name] = name.Length > 0 ? value : throw new FormatException("LABEL names can not be blank");
        }

        return (state with { Config = state.Config with { Labels = labels } })
            .WithHistory($"LABEL {string.Join(' ', pairs.Select(p => $"{p.Name}={p.Value}"))}", true);
    }

    private static StageState Volume(StageState state, IReadOnlyList<string> paths)
    {
        var volumes = new StringSet(state.Config.Volumes ?? []);
        foreach (var path in paths)
        {
            _ = path.Trim().Length > 0 ? volumes.Add(path.Trim()) : throw new FormatException("VOLUME specified can not be an empty string");
        }

        return (state with { Config = state.Config with { Volumes = volumes } }).WithHistory($"VOLUME [{string.Join(' ', paths)}]", true);
    }

    private static StageState Expose(StageState state, IReadOnlyList<string> ports)
    {
        var exposed = new StringSet(state.Config.ExposedPorts ?? []);
        List<string> added = [];
        foreach (var port in ports.SelectMany(Ports))
        {
            exposed.Add(port);
            added.Add(port);
        }

        return (state with { Config = state.Config with { ExposedPorts = exposed } }).WithHistory($"EXPOSE [{string.Join(' ', added)}]", true);
    }

    /// <summary>A port, or a range of ports, with or without a protocol.</summary>
    private static IEnumerable<string> Ports(string text)
    {
        var parts = text.Split('/');
        var protocol = parts.Length > 1 ? parts[1].ToLowerInvariant() : "tcp";
        var range = parts[0].Split(':')[^1].Split('-'); // a host's port in front is allowed and means nothing
        if (parts.Length > 2 || protocol is not ("tcp" or "udp" or "sctp") || range.Length > 2
            || !Port(range[0], out var first) || !Port(range[^1], out var last) || last < first)
        {
            throw new FormatException($"invalid containerPort: {text}");
        }

        return Enumerable.Range(first, last - first + 1).Select(port => $"{port}/{protocol}");
    }

    private static bool Port(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 0 and <= 65535;

    private static string Signal(string text)
    {
        var name = text.ToUpperInvariant();
        name = name.StartsWith("SIG", StringComparison.Ordinal) ? name[3..] : name;
        var known = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number is >= 1 and <= 64
            : Signals.Contains(name) || name.StartsWith("RTMIN", StringComparison.Ordinal) || name.StartsWith("RTMAX", StringComparison.Ordinal);
        return known ? text : throw new FormatException($"invalid signal: {text}");
    }

    private static readonly string[] Signals =
    [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD",
        "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "POLL", "PWR", "SYS",
    ];

    private static StageState Healthcheck(StageState state, HealthcheckInstruction check)
    {
        var health = new Healthcheck
        {
            Test = check.Test,
            IntervalNanoseconds = Nanoseconds(check.Interval),
            TimeoutNanoseconds = Nanoseconds(check.Timeout),
            StartPeriodNanoseconds = Nanoseconds(check.StartPeriod),
            StartIntervalNanoseconds = Nanoseconds(check.StartInterval),
            Retries = check.Retries is 0 ? null : check.Retries,
        };
        return (state with { Config = state.Config with { Healthcheck = health } }).WithHistory(check.Node.Original, true);
    }

    private static long? Nanoseconds(TimeSpan? time) => time is { Ticks: > 0 } span ? span.Ticks * 100 : null;

    private static string Quote(string text) => $"\"{text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n").Replace("\t", "\\t")}\"";
}
