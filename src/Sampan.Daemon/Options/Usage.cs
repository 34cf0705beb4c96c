using System.Globalization;
using System.Text;

namespace Sampan.Daemon.Options;

/// <summary>The text of --help.</summary>
internal static class Usage
{
    public static string Text
    {
        get
        {
            var text = new StringBuilder("Usage:  sampan daemon [OPTIONS]\n\n");
            text.Append("The daemon that keeps containers and images and serves the Engine API.\n\nOptions:\n");
            foreach (var flag in Flag.All.Where(f => f.Help is not null))
            {
                var name = flag.Short == '\0' ? $"      --{flag.Name}" : $"  -{flag.Short}, --{flag.Name}";
                var kind = flag.Kind switch
                {
                    FlagKind.Boolean => "",
                    FlagKind.Number => " int",
                    FlagKind.Text => " string",
                    FlagKind.List => " list",
                    _ => " map",
                };
                text.Append(CultureInfo.InvariantCulture, $"{name + kind,-34} {flag.Help}\n");
            }

            return text.ToString();
        }
    }
}
