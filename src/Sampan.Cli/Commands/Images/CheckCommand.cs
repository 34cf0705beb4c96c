using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>image fsck</c>.</summary>
internal static class CheckCommand
{
    public static Command Check() => new()
    {
        Name = "fsck",
        Summary = "Check every blob and every unpacked layer against its digest",
        Synopsis = "[OPTIONS]",
        Arity = Arity.None,
        Setup = static f =>
        {
            var repair = f.Switch("repair", "Remove what is damaged or loose, so that it can be fetched or built again");
            var format = f.Text("format", "Print for people, or as 'json'");
            return (context, _) =>
            {
                if (format.Value is not ("" or "json")) throw new CliException($"invalid format '{format.Value}': it can only be 'json'");
                var report = context.Api.Post(new Query("/images/fsck").AddIf(repair, "repair").ToString());
                var faults = report.Items("Faults");
                if (format.Value == "json")
                {
                    context.Line(report!.ToJsonString());
                    return faults.Count == 0 || repair ? 0 : 1;
                }

                foreach (var fault in faults)
                {
                    var images = string.Join(", ", fault.Texts("Images"));
                    context.Line($"{fault.Text("Subject")}: {fault.Text("Problem")}{(images.Length > 0 ? $" (needed by {images})" : "")}"
                        + (fault.Text("Repair") is { Length: > 0 } done ? $": {done}" : ""));
                }

                context.Line($"{report.Number("Blobs")} blobs and {report.Number("Layers")} layers checked, {Units.Human(report.Number("Bytes"))}, "
                    + (faults.Count == 0 ? "all is well" : $"{faults.Count} {(faults.Count == 1 ? "fault" : "faults")}"));
                return faults.Count == 0 || repair ? 0 : 1;
            };
        },
    };
}
