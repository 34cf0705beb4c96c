using System.Diagnostics;
using Sampan.Build.Cache;
using Sampan.Build.Files;
using Sampan.Build.Planning;
using Sampan.Build.Progress;
using Sampan.Build.Sources;
using Sampan.Build.Steps;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Instructions;
using Sampan.Dockerfile.Parsing;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Build.Stages;

/// <summary>Carries out one stage, instruction by instruction.</summary>
internal sealed class StageRunner(BuildSession session, PlannedStage planned)
{
    private readonly DockerfileModel _model = session.Plan.Model;
    private int _ordinal;

    /// <summary>The stage's story: (1) base, (2) the base's triggers, (3) the instructions.</summary>
    public async Task<StageState> RunAsync(CancellationToken cancel)
    {
        // :: 1 base
        var from = planned.Stage.From;
        var step = NewStep(planned.FirstNumber, from.Node);
        var state = await TrackAsync(step, from, () => FromAsync(step, cancel), cancel, BaseIdOf);

        // :: 2 triggers
        if (state.Config.OnBuild is { Count: > 0 } triggers)
        {
            session.Report(new TriggersFound(step, triggers.Count));
            state = state with { Config = state.Config with { OnBuild = null } };
            foreach (var trigger in triggers)
            {
                var instruction = ParseTrigger(trigger, from);
                foreach (var arg in instruction is ArgInstruction declared ? declared.Args : [])
                {
                    session.TriggerArgs.Add(arg.Name);
                }

                state = await StepAsync(state, instruction, NewStep(null, instruction.Node), cancel);
            }
        }

        // :: 3 instructions
        var number = planned.FirstNumber;
        foreach (var instruction in planned.Stage.Instructions)
        {
            state = await StepAsync(state, instruction, NewStep(++number, instruction.Node), cancel);
        }

        session.Report(new StageFinished(planned.Stage.Index));
        return state;
    }

    private Task<StageState> StepAsync(StageState state, Instruction instruction, BuildStep step, CancellationToken cancel)
    {
        return TrackAsync(step, instruction, WorkAsync, cancel);

        async Task<StageState> WorkAsync()
        {
            // What other stages have to give first must not keep a place among the steps at work.
            var sources = await SourcesAsync(instruction, cancel);
            using var place = await session.EnterAsync(cancel);
            var context = new StepContext(session, planned, step, state, Slot(instruction), sources);
            return instruction switch
            {
                RunInstruction run => await new RunRunner(context, run).RunAsync(cancel),
                TransferInstruction transfer => await new TransferRunner(context, transfer).RunAsync(cancel),
                WorkdirInstruction workdir => await new WorkdirRunner(context, workdir).RunAsync(cancel),
                _ => Configure(context, instruction),
            };
        }
    }

    /// <summary>Reports a step's begin and end, and gives its errors their place in the Dockerfile.</summary>
    private async Task<StageState> TrackAsync(BuildStep step, Instruction instruction, Func<Task<StageState>> work, CancellationToken cancel, Func<StageState, Digest?>? idOf = null)
    {
        cancel.ThrowIfCancellationRequested();
        var watch = Stopwatch.StartNew();
        session.Report(new StepStarted(step));
        try
        {
            var state = await work();
            session.Report(new StepFinished(step, (idOf ?? ImageIdOf)(state), session.WasCached(step), watch.Elapsed));
            return state;
        }
        catch (Exception e) when (e is BuildException or DockerfileException or FormatException or IOException or StoreException
            or UnauthorizedAccessException)
        {
            var error = Locate(e, instruction);
            session.Report(new StepFailed(step, error.Message, watch.Elapsed, error.Excerpt));
            throw error;
        }
    }

    private StageState Configure(StepContext context, Instruction instruction)
    {
        var state = context.State;
        var globals = session.Plan.GlobalArgs;
        var next = ConfigSteps.Apply(
            state, instruction, context.Expand(instruction), context.ExpandToWords(instruction), globals.Inherited,
            name => globals.BuildArgs.GetValueOrDefault(name)) ?? throw new UnreachableException(instruction.Keyword);

        // Nothing is done that a cache could spare; it is asked so that the user sees what is unchanged.
        IEnumerable<CacheKeyPart> parts = instruction switch
        {
            ArgInstruction arg => arg.Args.Select(a => context.Expand(arg)(a.Name)).Select(name => new CacheKeyPart($"arg {name}", next.Args.Last(a => a.Name == name).Value ?? "")),
            EnvInstruction env => env.Pairs.Select(p => context.Expand(env)(p.Name)).Select(name => new CacheKeyPart($"env {name}", next.Lookup(name) ?? "")),
            _ => [new("instruction", next.History[^1].CreatedBy!)],
        };
        context.Remember(new(context.Slot, [new("step", instruction.Keyword), .. context.ParentParts(), .. parts]));
        return next;
    }

    private async Task<StageState> FromAsync(BuildStep step, CancellationToken cancel)
    {
        var epoch = session.Epoch;
        switch (planned.Base)
        {
            case EarlierStageBase { Stage: var earlier }:
                return await session.StageAsync(earlier, cancel) with { HasCmd = false };
            case ScratchBase:
                return new StageState { Platform = planned.Platform, TimeSeconds = epoch ?? 0 }.WithPath();
            case NamedBase { Name: var named } when session.Named.Find(named) is { Image: null } directory:
                return await FromDirectoryAsync(step, named, session.Named.Files(directory), cancel);
            case ImageBase or NamedBase:
                var name = planned.Base is NamedBase other ? session.Named.Find(other.Name)!.Image! : ((ImageBase)planned.Base).Name;
                var image = await ImageAsync(name, cancel);
                if (planned.PlatformIsExplicit && !image.Config.Platform.Satisfies(planned.Platform))
                {
                    throw new BuildException(
                        BuildErrorKind.InvalidInput,
                        $"image with reference {name} was found but its platform ({image.Config.Platform}) does not match "
                        + $"the specified platform ({planned.Platform})");
                }

                var isOther = session.Cache.NoteBase(step, new(Slot(planned.Stage.From), [new("platform", planned.Platform.ToString()), new("base", image.Id.ToString())]));
                return Of(image, epoch).WithPath() with { ChangedAtLine = isOther ? step.Lines.Start : null };
            default:
                throw new UnreachableException();
        }
    }

    /// <summary>A directory in place of a base image: its files are the first layer.</summary>
    private async Task<StageState> FromDirectoryAsync(BuildStep step, string name, ContextFiles files, CancellationToken cancel)
    {
        var state = new StageState { Platform = planned.Platform, TimeSeconds = session.Epoch ?? 0 }.WithPath();
        var context = new StepContext(session, planned, step, state, Slot(planned.Stage.From), new Dictionary<string, FileSource>());
        var transfer = files.Plan("FROM", "/", "/");
        var createdBy = $"FROM {name}";
        var key = new StepKey(context.Slot, [new("step", "FROM"), .. context.ParentParts(), .. transfer.KeyParts(cancel)]);
        if (context.Find(key) is { } result)
        {
            return context.Reuse(result, createdBy);
        }

        using var work = TempDirectory.Create(session.Store.DataRoot, "copy");
        var upper = work.Make("upper", 0x1ED);
        transfer.Write(upper, context.View, state.TimeSeconds, cancel);
        return await context.CommitAsync(key, upper, createdBy, 0, cancel);
    }

    private static StageState Of(ImageRecord image, long? epoch) => new()
    {
        Platform = image.Config.Platform,
        Config = image.Config.Config ?? new(),
        History = image.Config.History ?? [],
        DiffIds = image.Config.RootFs.DiffIds,
        Chain = image.ChainId,
        Author = image.Config.Author,
        BaseImage = image.Id,
        TimeSeconds = epoch ?? Math.Max(0, image.Config.Created?.ToUnixTimeSeconds() ?? 0),
    };

    /// <summary>The states of other stages, and images, that an instruction takes files from, by reference.</summary>
    private async Task<IReadOnlyDictionary<string, FileSource>> SourcesAsync(Instruction instruction, CancellationToken cancel)
    {
        var references = instruction switch
        {
            CopyInstruction { From: { } from } => [from],
            RunInstruction run => run.Mounts.Select(m => m.From).OfType<string>(),
            _ => [],
        };
        var sources = new Dictionary<string, FileSource>();
        foreach (var reference in references.Distinct())
        {
            var named = session.Named.Find(reference);
            if (named is { Directory: not null })
            {
                var files = session.Named.Files(named);
                sources[reference] = new(null, [files.Directory], files);
                continue;
            }

            var chain = named is { Image: { } image } ? (await ImageAsync(image, cancel)).ChainId
                : _model.Find(reference) is { } stage ? (await session.UseAsync(planned.Stage.Index, stage.Index, cancel)).Chain
                : reference == "scratch" ? null : (await ImageAsync(reference, cancel)).ChainId;
            sources[reference] = new(chain, chain is { } id ? session.Store.Layers.LowerDirs(id) : []);
        }

        return sources;
    }

    /// <summary>An image by name. Where there is none a stage may have been meant.</summary>
    private async Task<ImageRecord> ImageAsync(string name, CancellationToken cancel)
    {
        try
        {
            return await session.ImageAsync(name, planned.Platform, cancel);
        }
        catch (BuildException e) when (Suggestion.For(name, _model.Stages.Select(stage => stage.Name).OfType<string>()) is { Length: > 0 } meant)
        {
            throw new BuildException(e.Kind, e.Message + meant, e);
        }
    }

    private Instruction ParseTrigger(string trigger, FromInstruction from)
    {
        try
        {
            var source = DockerfileSource.Parse(trigger, "ONBUILD");
            var node = DockerfileParser.ParseInstruction(trigger, "ONBUILD") with { Lines = from.Node.Lines };
            return InstructionParser.Parse(node, source);
        }
        catch (DockerfileException e)
        {
            throw Locate(new BuildException(BuildErrorKind.InvalidInput, $"trigger '{trigger}' of image '{from.Image}': {e.Message}", e), from);
        }
    }

    private BuildStep NewStep(int? number, Node node) => new(
        $"{planned.Stage.Index}.{_ordinal++}", planned.Stage.Index, planned.DisplayName, number, session.Plan.TotalSteps, node.Original, node.Lines);

    private string Slot(Instruction instruction) => $"{planned.DisplayName} {_ordinal} {instruction.Keyword}";

    private static Digest? ImageIdOf(StageState state) =>
        state.DiffIds.Count == 0 && state.History.Count == 0 ? null : Digest.OfSha256(ImageJson.Serialize(state.ToImage()));

    /// <summary>The base itself, not what it is with what a build adds to its environment.</summary>
    private Digest? BaseIdOf(StageState state) => planned.Base is EarlierStageBase || state.BaseImage is null ? ImageIdOf(state) : state.BaseImage;

    private BuildException Locate(Exception e, Instruction instruction)
    {
        var dockerfile = e as DockerfileException;
        if (e is BuildException { Lines: not null } located)
        {
            return located;
        }

        var known = e as BuildException;
        var message = known is not null || dockerfile is not null || e is FormatException ? e.Message : $"{instruction.Keyword} failed: {e.Message}";
        return new(known?.Kind ?? BuildErrorKind.InvalidInput, message, e)
        {
            FileName = _model.Source.FileName,
            Lines = instruction.Node.Lines,
            Excerpt = _model.Source.Excerpt(instruction.Node.Lines),
            Instruction = instruction.Node.Original,
            ExitCode = known?.ExitCode,
            OutputTail = known?.OutputTail,
        };
    }
}
