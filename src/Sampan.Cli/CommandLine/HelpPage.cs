using System.Text;

namespace Sampan.Cli.CommandLine;

/// <summary>Writes a command's help page in the layout of Docker's.</summary>
internal static class HelpPage
{
    private const int NamePadding = 11;

    /// <param name="path">How the command was reached: "sampan container ls".</param>
    /// <param name="columns">Width of the terminal.</param>
    public static string Of(Command command, string path, int columns)
    {
        var page = new StringBuilder();
        page.Append("Usage:  ").Append(UsageLines(command, path)).Append("\n\n").Append(command.Summary).Append('\n');
        if (command.Details is { } details) page.Append('\n').Append(details).Append('\n');
        if (command.Spellings.Length > 0)
        {
            page.Append("\nAliases:\n  ").Append(string.Join(", ", Array.ConvertAll(command.Spellings, static s => "sampan " + s))).Append('\n');
        }

        var flags = new FlagSet();
        command.Setup?.Invoke(flags);
        if (HasVisible(flags)) page.Append("\nOptions:\n").Append(Flags(flags, command, columns - 1));
        if (command.Children is { } children)
        {
            AppendCommands(page, "Commands", children());
            page.Append($"\nRun '{path} COMMAND --help' for more information on a command.\n");
        }

        return page.ToString();
    }

    /// <summary>The page of the program itself.</summary>
    public static string OfProgram(Command root, FlagSet globals, int columns)
    {
        var page = new StringBuilder("Usage:  sampan [OPTIONS] COMMAND\n\n").Append(root.Summary).Append('\n');
        var children = root.Children!();
        foreach (var group in (string[])["Common Commands", "Management Commands", "Commands"])
        {
            AppendCommands(page, group, Array.FindAll(children, c => c.Group == group));
        }

        page.Append("\nGlobal Options:\n").Append(Flags(globals, root, columns - 1));
        return page.Append("\nRun 'sampan COMMAND --help' for more information on a command.\n").ToString();
    }

    public static string UsageLines(Command command, string path)
    {
        var first = command.Synopsis.Length == 0 ? path : path + " " + command.Synopsis;
        return command.SecondSynopsis is { } second ? $"{first}\n\t{path} {second}" : first;
    }

    private static bool HasVisible(FlagSet flags)
    {
        foreach (var flag in flags.All)
        {
            if (!flag.Hidden) return true;
        }

        return false;
    }

    private static void AppendCommands(StringBuilder page, string heading, Command[] commands)
    {
        page.Append('\n').Append(heading).Append(":\n");
        foreach (var command in commands)
        {
            if (!command.Hidden) page.Append("  ").Append(command.Name.PadRight(NamePadding)).Append(' ').Append(command.Summary).Append('\n');
        }
    }

    private static string Flags(FlagSet flags, Command command, int columns)
    {
        var sorted = new List<Flag>();
        foreach (var flag in flags.All)
        {
            if (!flag.Hidden) sorted.Add(flag);
        }

        // A command with a flag -h of its own (run) shows how help is reached then.
        if (command.RunLike) sorted.Add(new SwitchFlag("help", '\0', "Print usage", initial: false));
        sorted.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        var names = sorted.ConvertAll(static f
            => (f.Shorthand == '\0' ? "      --" : $"  -{f.Shorthand}, --") + f.Name + (f.Type.Length > 0 ? " " + f.Type : ""));
        var widest = 0;
        foreach (var name in names) widest = Math.Max(widest, name.Length);
        var text = new StringBuilder();
        for (var i = 0; i < sorted.Count; i++)
        {
            var usage = sorted[i].DefaultText is { } value ? $"{sorted[i].Usage} (default {value})" : sorted[i].Usage;
            text.Append(names[i].PadRight(widest + 3)).Append(Wrap(usage, widest + 3, columns)).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Breaks a usage text at spaces so that it fits beside the names.</summary>
    private static string Wrap(string text, int indent, int columns)
    {
        const int slop = 5; // a last line may overhang by so much before it is worth a break
        var width = columns - indent;
        if (width < 24)
        {
            // Too narrow beside the names: start below them instead.
            indent = 16;
            width = Math.Max(columns - indent, 24);
            return "\n" + new string(' ', indent) + WrapAt(text, indent, width, slop);
        }

        return WrapAt(text, indent, width, slop);
    }

    private static string WrapAt(string text, int indent, int width, int slop)
    {
        var result = new StringBuilder();
        var remaining = text;
        width -= slop;
        var first = true;
        while (remaining.Length > 0)
        {
            if (!first) result.Append('\n').Append(' ', indent);
            first = false;
            var newline = remaining.IndexOf('\n');
            if (newline >= 0 && newline <= width + slop)
            {
                result.Append(remaining, 0, newline);
                remaining = remaining[(newline + 1)..];
                continue;
            }

            if (remaining.Length <= width + slop)
            {
                result.Append(remaining);
                break;
            }

            var cut = remaining.LastIndexOf(' ', width);
            if (cut <= 0) cut = remaining.IndexOf(' ', width);
            if (cut <= 0)
            {
                result.Append(remaining);
                break;
            }

            result.Append(remaining, 0, cut);
            remaining = remaining[(cut + 1)..];
        }

        return result.ToString();
    }
}
