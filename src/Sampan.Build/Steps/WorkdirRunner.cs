using Sampan.Build.Cache;
using Sampan.Build.Files;
using Sampan.Build.Stages;
using Sampan.Dockerfile.Instructions;

namespace Sampan.Build.Steps;

/// <summary>WORKDIR: a setting, and a layer when the directory is not there yet.</summary>
internal sealed class WorkdirRunner(StepContext context, WorkdirInstruction instruction)
{
    private const uint DirectoryMode = 0x1ED; // 0755

    public async Task<StageState> RunAsync(CancellationToken cancel)
    {
        var path = context.Expand(instruction)(instruction.Path);
        if (path.Length == 0)
        {
            throw new FormatException("WORKDIR is empty once its variables are expanded");
        }

        // An absolute path stays as it is written, as with all of Docker's builders.
        var directory = path.StartsWith('/') ? path : Normalize($"{context.State.WorkingDirectory}/{path}");
        var text = $"WORKDIR {directory}";
        var after = context with { State = context.State with { Config = context.State.Config with { WorkingDir = directory } } };

        // :: 1 already there
        var target = context.View.Resolve(Normalize(directory));
        var key = new StepKey(context.Slot,
            [new("step", "WORKDIR"), .. context.ParentParts(), new("instruction", text), new("user", context.State.Config.User ?? "")]);
        if (target.Node is { Stat.IsDirectory: false })
        {
            throw new IOException($"'{directory}' is not a directory");
        }

        if (target.Node is not null || directory == "/")
        {
            context.Remember(key);
            return after.State.WithHistory(text, emptyLayer: true);
        }

        // :: 2 a layer that holds it
        if (context.Find(key) is { Layer: not null } result)
        {
            return after.Reuse(result, text);
        }

        var (uid, gid) = Ownership.Parse(context.State.Config.User ?? "", context.View);
        using var work = TempDirectory.Create(context.Session.Store.DataRoot, "workdir");
        var upper = work.Make("upper", DirectoryMode);
        var attributes = new Attributes(DirectoryMode, uid, gid, new(context.State.TimeSeconds, 0));
        using var writer = new LayerWriter(upper, context.View, attributes);
        writer.Directory(target.Path, attributes, overwrite: false, source: null);
        writer.Finish();
        return await after.CommitAsync(key, upper, text, context.State.TimeSeconds, cancel);
    }

    /// <summary>Absolute, without <c>.</c>, <c>..</c> and doubled slashes; by the text alone, as Docker does.</summary>
    private static string Normalize(string path)
    {
        List<string> names = [];
        foreach (var name in path.Split('/'))
        {
            if (name == "..")
            {
                names.RemoveRange(Math.Max(0, names.Count - 1), Math.Min(1, names.Count));
            }
            else if (name is not ("" or "."))
            {
                names.Add(name);
            }
        }

        return "/" + string.Join('/', names);
    }
}
