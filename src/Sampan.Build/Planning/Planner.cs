using System.Globalization;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Instructions;
using Sampan.Oci;

namespace Sampan.Build.Planning;

/// <summary>From a Dockerfile to the stages a target needs.</summary>
public sealed class Planner
{
    private readonly DockerfileModel _model;
    private readonly Scope.GlobalScope _globals;
    private readonly Platform _platform;
    private readonly bool _platformIsExplicit;
    private readonly Func<string, bool> _isNamed;

    private Planner(DockerfileModel model, Scope.GlobalScope globals, Platform platform, bool platformIsExplicit, Func<string, bool>? isNamed)
    {
        _isNamed = isNamed ?? (_ => false);
        _model = model;
        _globals = globals;
        _platform = platform;
        _platformIsExplicit = platformIsExplicit;
    }

    /// <summary>Works out a plan.</summary>
    /// <param name="isNamed">Whether a name is that of a context, which comes before stages and images.</param>
    /// <exception cref="BuildException">The target is unknown, or stages use each other in a circle.</exception>
    /// <exception cref="DockerfileException">A FROM cannot be expanded.</exception>
    public static BuildPlan Create(
        DockerfileModel model, string? target = null, IReadOnlyDictionary<string, string?>? buildArgs = null, Platform? platform = null,
        Func<string, bool>? isNamed = null)
    {
        var wanted = platform ?? Platform.Current;
        var globals = Scope.Globals(model, buildArgs ?? new Dictionary<string, string?>(), wanted, Platform.Current, target);
        var planner = new Planner(model, globals, wanted, platform is not null, isNamed);
        var last = target is null ? model.Stages[^1] : model.Find(target) ?? throw new BuildException(
            BuildErrorKind.InvalidInput,
            $"target stage '{target}' could not be found{Suggestion.For(target, model.Stages.Select(s => s.Name).OfType<string>())}");
        return planner.Plan(last);
    }

    private BuildPlan Plan(Stage target)
    {
        var needed = new SortedDictionary<int, (StageBase Base, HashSet<int> Uses)>();
        var path = new List<int>();
        Visit(target, needed, path);
        var number = 1 + _model.GlobalArgs.Count;
        List<PlannedStage> stages = [];
        foreach (var (index, (@base, uses)) in needed)
        {
            var stage = Actual(_model.Stages[index]);
            var (platform, isExplicit) = PlatformOf(stage.From);
            stages.Add(new(stage, @base, uses, platform, isExplicit, number));
            number += 1 + stage.Instructions.Count;
        }

        return new(_model, stages, target.Index, _globals, number - 1);
    }

    /// <summary>Depth first; the path holds the stages whose needs are being looked at.</summary>
    private void Visit(Stage stage, SortedDictionary<int, (StageBase Base, HashSet<int> Uses)> needed, List<int> path)
    {
        if (needed.ContainsKey(stage.Index))
        {
            return;
        }

        path.Add(stage.Index);
        var @base = BaseOf(stage);
        var uses = new HashSet<int>();
        if (@base is EarlierStageBase { Stage: var earlier })
        {
            uses.Add(earlier);
        }

        foreach (var instruction in Actual(stage).Instructions)
        {
            foreach (var reference in References(instruction))
            {
                if (Resolve(instruction, reference) is not { } used)
                {
                    continue;
                }

                if (path.Contains(used))
                {
                    var circle = path.SkipWhile(s => s != used).Append(used).Select(s => $"{NameOf(s)} (line {_model.Stages[s].From.Node.Lines.Start})");
                    throw At(instruction, $"circular dependency between stages: {string.Join(" → ", circle)}");
                }

                uses.Add(used);
            }
        }

        foreach (var used in uses.Order())
        {
            Visit(_model.Stages[used], needed, path);
        }

        path.RemoveAt(path.Count - 1);
        needed[stage.Index] = (@base, uses);
    }

    /// <summary>A stage that a context stands for does nothing.</summary>
    private Stage Actual(Stage stage) => stage.Name is { } name && _isNamed(name) ? stage with { Instructions = [] } : stage;

    private StageBase BaseOf(Stage stage)
    {
        if (stage.Name is { } own && _isNamed(own))
        {
            return new NamedBase(own);
        }

        var name = Scope.Expand(_model, stage.From, stage.From.Image, n => _globals.Values.GetValueOrDefault(n));
        if (name.Length == 0)
        {
            throw At(stage.From, $"base name ({stage.From.Image}) should not be blank");
        }

        // Only stages before this one count, so that a stage may be called like the image it is made from.
        var earlier = _model.Stages.Take(stage.Index).LastOrDefault(s => name.Equals(s.Name, StringComparison.OrdinalIgnoreCase));
        return earlier is not null ? new EarlierStageBase(earlier.Index) : _isNamed(name) ? new NamedBase(name) : name == "scratch" ? new ScratchBase() : new ImageBase(name);
    }

    private (Platform Platform, bool IsExplicit) PlatformOf(FromInstruction from)
    {
        if (from.Platform is null)
        {
            return (_platform, _platformIsExplicit);
        }

        var text = Scope.Expand(_model, from, from.Platform, n => _globals.Values.GetValueOrDefault(n));
        try
        {
            return text.Length == 0 ? throw new FormatException("it is empty") : (Platform.Parse(text), true);
        }
        catch (FormatException e)
        {
            throw At(from, $"invalid platform '{text}' of FROM --platform={from.Platform}: {e.Message}");
        }
    }

    private static IEnumerable<string> References(Instruction instruction) => instruction switch
    {
        CopyInstruction { From: { } from } => [from],
        RunInstruction run => run.Mounts.Select(m => m.From).OfType<string>(),
        _ => [],
    };

    private int? Resolve(Instruction instruction, string reference)
    {
        if (reference.Contains('$'))
        {
            throw At(instruction, "variables are not expanded in --from, use a stage 'FROM $name AS alias' and its alias instead");
        }

        if (_isNamed(reference))
        {
            return null;
        }

        if (_model.Find(reference) is { } stage)
        {
            return stage.Index;
        }

        return int.TryParse(reference, NumberStyles.None, CultureInfo.InvariantCulture, out _)
            ? throw At(instruction, $"invalid from flag value {reference}: there is no stage of that number") : null;
    }

    private string NameOf(int index) => _model.Stages[index].Name ?? index.ToString(CultureInfo.InvariantCulture);

    private BuildException At(Instruction instruction, string message) => new(BuildErrorKind.InvalidInput, message)
    {
        FileName = _model.Source.FileName,
        Lines = instruction.Node.Lines,
        Excerpt = _model.Source.Excerpt(instruction.Node.Lines),
        Instruction = instruction.Node.Original,
    };
}
