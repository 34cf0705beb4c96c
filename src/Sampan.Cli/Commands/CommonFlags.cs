using Sampan.Cli.CommandLine;
using Sampan.Cli.Options;

namespace Sampan.Cli.Commands;

/// <summary>Flags that many commands have.</summary>
internal static class CommonFlags
{
    public static ValueFlag<string> Format(this FlagSet flags, char shorthand = '\0')
        => flags.Text("format", shorthand, "Print with a Go template, as 'json', as 'table', or as 'table TEMPLATE' with headings");

    public static ValueFlag<string> Template(this FlagSet flags)
        => flags.Text("format", 'f', "Print with a Go template, or as 'json'");

    public static ListFlag Filter(this FlagSet flags, char shorthand = 'f')
        => flags.List("filter", shorthand, "Only what fits the condition (name=value)", OptionChecks.Filter, "filter");

    public static SwitchFlag NoTrunc(this FlagSet flags) => flags.Switch("no-trunc", "Do not shorten the output");

    public static ValueFlag<string> DetachKeys(this FlagSet flags)
        => flags.Text("detach-keys", "Keys that detach from the container, instead of ctrl-p,ctrl-q");

    public static SwitchFlag Yes(this FlagSet flags) => flags.Switch("force", 'f', "Do not ask for confirmation");
}
