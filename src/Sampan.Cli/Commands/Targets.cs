using Sampan.Cli.CommandLine;

namespace Sampan.Cli.Commands;

/// <summary>Applies something to each of several names: one that fails does not keep the others from it.</summary>
internal static class Targets
{
    /// <summary>Runs <paramref name="action"/> for each name, prints what it returns, and at the end all that went wrong.</summary>
    public static int Each(ClientContext context, IEnumerable<string> names, Func<string, string?> action)
    {
        var errors = Collect(names, name =>
        {
            if (action(name) is { } line) context.Line(line);
        });
        if (errors.Count == 0) return 0;
        context.ErrorLine(string.Join('\n', errors));
        return 1;
    }

    /// <summary>Runs <paramref name="action"/> for each name and returns the messages of those that failed.</summary>
    /// <exception cref="Http.NoDaemonException">Without a daemon the others would fail alike.</exception>
    public static List<string> Collect(IEnumerable<string> names, Action<string> action)
    {
        var errors = new List<string>();
        foreach (var name in names)
        {
            try
            {
                action(name);
            }
            catch (CliException e) when (e is not Http.NoDaemonException)
            {
                errors.Add(e.Message);
            }
        }

        return errors;
    }

    /// <summary>Asks before something is destroyed; anything but yes is no.</summary>
    public static bool Confirm(ClientContext context, string warning)
    {
        context.Out.Write($"WARNING! {warning}\nAre you sure you want to continue? [y/N] ");
        context.Out.Flush();
        var answer = Console.In.ReadLine();
        return answer?.Trim().ToLowerInvariant() is "y" or "yes";
    }
}
