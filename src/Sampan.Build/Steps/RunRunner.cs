using System.Security.Cryptography;
using System.Text;
using Sampan.Build.Cache;
using Sampan.Build.Files;
using Sampan.Build.Planning;
using Sampan.Build.Progress;
using Sampan.Build.Stages;
using Sampan.Dockerfile.Instructions;
using Sampan.Store;

namespace Sampan.Build.Steps;

/// <summary>RUN: a command in a container, and what it changed as a layer.</summary>
internal sealed class RunRunner(StepContext context, RunInstruction instruction)
{
    /// <summary>The exit code of a program that is there and cannot be run.</summary>
    private const int CannotExecute = 126;

    private const string ScriptDirectory = "/dev/pipes/";

    /// <summary>The step's story: (1) command, (2) key, (3) container, (4) layer.</summary>
    public async Task<StageState> RunAsync(CancellationToken cancel)
    {
        // :: 1 command
        RequireRights();
        var (args, script) = Command();
        var visible = context.State.VisibleArgs();
        using var caches = context.Session.Store.CacheMounts.Hold();
        var mounts = await new MountPlanner(context, instruction).PlanAsync(cancel);
        var count = visible.Count == 0 ? "" : $"|{visible.Count} {string.Join(' ', visible.Select(a => $"{a.Name}={a.Value}"))} ";
        var createdBy = $"RUN {count}{string.Join(' ', args)}";

        // :: 2 key
        var key = new StepKey(context.Slot,
        [
            new("step", "RUN"), .. context.ParentParts(), new("command", ConfigSteps.Json(args)), new("script", script ?? ""),
            .. context.State.Env.Select(entry => new CacheKeyPart($"env {entry.Split('=', 2)[0]}", entry.Split('=', 2)[^1])),
            .. visible.Select(a => new CacheKeyPart($"arg {a.Name}", a.Value)),
            new("user", context.State.Config.User ?? ""), new("directory", context.State.WorkingDirectory),
            new("network", instruction.Network), new("security", instruction.Security), .. mounts.KeyParts,
        ]);
        if (context.Find(key, createdBy) is { Layer: not null } result)
        {
            return context.Reuse(result, createdBy);
        }

        // :: 3 container
        using var work = TempDirectory.Create(context.Session.Store.DataRoot, "run");
        var root = context.View.Root?.Stat;
        var upper = work.Make("upper", root?.Permissions ?? 0x1ED, root?.Uid ?? 0, root?.Gid ?? 0);
        var step = new RunStep
        {
            Id = RandomNumberGenerator.GetHexString(64, lowercase: true),
            Lower = context.LowerDirs,
            Upper = upper,
            Work = work.Make("work", 0x1C0),
            Args = args,
            Env = [.. Environment(visible).Where(entry => !mounts.Env.Any(own => own.Split('=', 2)[0] == entry.Split('=', 2)[0])), .. mounts.Env],
            Cwd = context.State.WorkingDirectory,
            User = context.State.Config.User ?? "",
            NetworkMode = instruction.Network == "default" ? context.Session.Request.NetworkMode : instruction.Network,
            Insecure = instruction.Security == "insecure",
            ShmSizeBytes = context.Session.Request.ShmSizeBytes,
            ExtraHosts = context.Session.Request.ExtraHosts,
            Limits = context.Session.Request.Limits,
            Mounts = script is null ? mounts.Copied(work, context.State.TimeSeconds, cancel) : [.. mounts.Copied(work, context.State.TimeSeconds, cancel), ScriptMount(args[0], script)],
        };
        caches.Use(step.Mounts.Select(mount => mount.Source).OfType<string>(), $"cache mounts of {createdBy}");
        var stubs = MountStubs.Note(context.View, step.Mounts);
        using (await mounts.LockAsync(cancel))
        {
            await ExecuteAsync(step, cancel);
        }

        stubs.Remove(upper);

        // :: 4 layer
        return await context.CommitAsync(key, upper, createdBy, 0, cancel);
    }

    /// <summary>Rights beyond those of any container are the client's to grant: who wrote the Dockerfile may be somebody else.</summary>
    private void RequireRights()
    {
        var request = context.Session.Request;
        Require(instruction.Security == "insecure", "security.insecure", "--security=insecure");
        Require(instruction.Network == "host" && request.NetworkMode != "host", "network.host", "--network=host");

        void Require(bool isNeeded, string right, string flag)
        {
            if (isNeeded && !request.Allow.Contains(right))
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"RUN {flag} is not allowed: build with --allow {right}");
            }
        }
    }

    private async Task ExecuteAsync(RunStep step, CancellationToken cancel)
    {
        var session = context.Session;
        var tail = new OutputTail();
        session.Report(new StepRunning(context.Step, step.Id));
        var code = await session.Executor.RunAsync(step, (stream, data) =>
        {
            tail.Add(data.Span);
            return session.ReportAsync(new StepOutput(context.Step, stream, data));
        }, cancel);
        session.Report(new StepContainerRemoved(context.Step, step.Id));
        if (code != 0)
        {
            throw new BuildException(BuildErrorKind.StepFailed, $"The command '{string.Join(' ', step.Args)}' returned a non-zero code: {code}{Foreign(code)}")
            {
                ExitCode = code,
                OutputTail = tail.ToString(),
            };
        }
    }

    /// <summary>Says so when the machine cannot run the image's programs.</summary>
    private string Foreign(int code) => code != CannotExecute || context.State.Platform.Satisfies(Oci.Platform.Current) ? ""
        : $": the image is for {context.State.Platform}, whose programs this machine runs with an emulator alone (binfmt_misc, qemu-user-static)";

    /// <summary>The arguments, and the text of a script that is run as a file of its own.</summary>
    private (IReadOnlyList<string> Args, string? Script) Command()
    {
        var heredocs = instruction.Node.Heredocs;
        if (heredocs.Count == 0)
        {
            return (ConfigSteps.Command(context.State, instruction.Command), null);
        }

        var line = instruction.Command.Words[0];
        if (heredocs.Count == 1 && line.TrimEnd().IndexOfAny([' ', '\t']) < 0)
        {
            // The heredoc alone is the command: a script with its own interpreter, or text for the shell.
            var text = heredocs[0].Content;
            return text.StartsWith("#!", StringComparison.Ordinal)
                ? ([ScriptDirectory + heredocs[0].Name.Replace('/', '_')], text)
                : ([.. context.State.Shell, text], null);
        }

        // Anything else is the shell's own syntax; it gets the bodies back.
        var whole = new StringBuilder(line);
        foreach (var heredoc in heredocs)
        {
            whole.Append('\n').Append(heredoc.Content).Append(heredoc.Name);
        }

        return ([.. context.State.Shell, whole.ToString()], null);
    }

    private static StepMount ScriptMount(string path, string script) => new(StepMountKind.File, path, ReadOnly: true)
    {
        Content = Encoding.UTF8.GetBytes(script),
        Mode = 0x1ED,
    };

    /// <summary>ENV, then the arguments in sight, then proxies that were passed without an ARG.</summary>
    private List<string> Environment(IReadOnlyList<(string Name, string Value)> visible)
    {
        var environment = context.State.Env.Concat(visible.Select(a => $"{a.Name}={a.Value}")).ToList();
        var names = environment.Select(entry => entry.Split('=', 2)[0]).ToHashSet();
        foreach (var name in Scope.ProxyNames)
        {
            if (!names.Contains(name) && context.Session.Request.BuildArgs.GetValueOrDefault(name) is { } value)
            {
                environment.Add($"{name}={value}");
            }
        }

        return environment;
    }
}
