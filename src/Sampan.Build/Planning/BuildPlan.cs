using Sampan.Dockerfile;
using Sampan.Oci;

namespace Sampan.Build.Planning;

/// <summary>Where a stage's files come from at first.</summary>
public abstract record StageBase;

public sealed record ScratchBase : StageBase;

/// <param name="Stage">Number of an earlier stage.</param>
public sealed record EarlierStageBase(int Stage) : StageBase;

/// <param name="Name">The image as written, variables expanded.</param>
public sealed record ImageBase(string Name) : StageBase;

/// <param name="Name">A named context, which stands for a stage or an image of this name.</param>
public sealed record NamedBase(string Name) : StageBase;

/// <summary>A stage that the build needs.</summary>
/// <param name="Uses">Numbers of all stages that it takes something from, its base included.</param>
/// <param name="Platform">What FROM's <c>--platform</c> says, else the build's; and whether anyone said so.</param>
/// <param name="FirstNumber">The number of its FROM among all instructions of the build.</param>
public sealed record PlannedStage(
    Stage Stage, StageBase Base, IReadOnlySet<int> Uses, Platform Platform, bool PlatformIsExplicit, int FirstNumber)
{
    public string DisplayName => Stage.Name ?? Stage.Index.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>What a build has to do: the stages it needs, each after those it uses.</summary>
/// <param name="GlobalArgs">Values of the arguments before the first FROM.</param>
/// <param name="TotalSteps">Instructions in all, global ARGs and FROMs included.</param>
public sealed record BuildPlan(
    DockerfileModel Model, IReadOnlyList<PlannedStage> Stages, int Target, Scope.GlobalScope GlobalArgs, int TotalSteps)
{
    /// <summary>The stage of a number; null when the build does not need it.</summary>
    public PlannedStage? Find(int index) => Stages.FirstOrDefault(stage => stage.Stage.Index == index);
}
