using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>update</c>.</summary>
internal static class UpdateCommand
{
    public static Command Update() => new()
    {
        Name = "update",
        Summary = "Change the limits of containers",
        Synopsis = "[OPTIONS] CONTAINER [CONTAINER...]",
        Spellings = ["container update", "update"],
        Arity = Arity.AtLeast(1),
        Setup = static f =>
        {
            var (resources, restart) = Flags(f);
            return (context, args) =>
            {
                var any = false;
                foreach (var flag in f.All) any |= flag.Changed;
                if (!any) throw new CliException("you must provide one or more flags when using this command");
                var request = new JsonObject();
                HostConfigRequest.Limits(request, resources);
                if (restart.Value.Length > 0) request["RestartPolicy"] = OptionChecks.Restart(restart.Value);
                var warnings = new List<string>();
                var code = Targets.Each(context, args, name =>
                {
                    warnings.AddRange(context.Api.Post($"/containers/{Query.Escape(name)}/update", request).Texts("Warnings"));
                    return name;
                });
                if (warnings.Count > 0) context.Line(string.Join('\n', warnings));
                return code;
            };
        },
    };

    /// <summary>Of the flags of create only those that a living container can follow.</summary>
    private static (ResourceFlags Resources, ValueFlag<string> Restart) Flags(FlagSet f)
    {
        var all = new FlagSet();
        var resources = new ResourceFlags(all);
        foreach (var flag in all.All)
        {
            if (flag.Name is "blkio-weight" or "cpu-period" or "cpu-quota" or "cpu-rt-period" or "cpu-rt-runtime" or "cpu-shares" or "cpus"
                or "cpuset-cpus" or "cpuset-mems" or "memory" or "memory-reservation" or "memory-swap" or "pids-limit")
            {
                f.Add(flag);
            }
        }

        var kernelMemory = f.Add(resources.KernelMemory);
        kernelMemory.Hidden = true;
        return (resources, f.Text("restart", "When to start again after an exit"));
    }
}
