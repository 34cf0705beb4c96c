using Sampan.Dockerfile;
using Sampan.Oci;

namespace Sampan.Build.Progress;

/// <summary>Hears what a build does. Calls come one at a time, in order within each stage; stages that run in parallel are interleaved.</summary>
public interface IBuildProgress
{
    /// <summary>Takes note; never waits.</summary>
    void Report(BuildEvent what);

    /// <summary>For those who report much: completes when a slow listener has heard so much that more is welcome.</summary>
    Task HeardAsync() => Task.CompletedTask;
}

/// <summary>An instruction at work.</summary>
/// <param name="Id">Unique within the build, e.g. <c>0.3</c> for the third instruction of stage 0.</param>
/// <param name="Stage">The stage's number; -1 for arguments before the first FROM.</param>
/// <param name="StageName">Its name, or its number.</param>
/// <param name="Number">Its place among all instructions of the build, from 1; null for a trigger that a base image brought.</param>
/// <param name="Total">Number of all instructions.</param>
/// <param name="Text">As written, on one line.</param>
public sealed record BuildStep(string Id, int Stage, string StageName, int? Number, int Total, string Text, LineRange Lines);

/// <summary>Why a step was found in the cache or had to be done.</summary>
/// <param name="IsHit">Found.</param>
/// <param name="Reasons">For a miss: which parts of its key differ from the last time, e.g. <c>file src/main.c changed</c>.</param>
public sealed record CacheOutcome(bool IsHit, IReadOnlyList<string> Reasons)
{
    public static CacheOutcome Hit { get; } = new(true, []);
}

public abstract record BuildEvent;

/// <summary>The stages that will be built, in order.</summary>
public sealed record BuildPlanned(IReadOnlyList<int> StageNumbers, int Steps) : BuildEvent;

/// <summary>All instructions of a stage are done.</summary>
public sealed record StageFinished(int Stage) : BuildEvent;

public sealed record StepStarted(BuildStep Step) : BuildEvent;

/// <summary>A base image brings instructions of its own.</summary>
public sealed record TriggersFound(BuildStep From, int Count) : BuildEvent;

/// <summary>The cache has been asked.</summary>
public sealed record StepLookedUp(BuildStep Step, CacheOutcome Cache) : BuildEvent;

/// <summary>A container runs the step's command.</summary>
public sealed record StepRunning(BuildStep Step, string ContainerId) : BuildEvent;

/// <param name="Stream">1 stdout, 2 stderr.</param>
public sealed record StepOutput(BuildStep Step, int Stream, ReadOnlyMemory<byte> Data) : BuildEvent;

/// <summary>How far a step is with something large.</summary>
/// <param name="What">What it does, e.g. <c>Downloading</c>.</param>
/// <param name="TotalBytes">0 when nobody knows.</param>
public sealed record StepProgress(BuildStep Step, string What, long Bytes, long TotalBytes) : BuildEvent;

/// <summary>The step's container is gone.</summary>
public sealed record StepContainerRemoved(BuildStep Step, string ContainerId) : BuildEvent;

/// <param name="ImageId">ID that an image would have if the build ended here; null for scratch.</param>
public sealed record StepFinished(BuildStep Step, Digest? ImageId, bool IsCached, TimeSpan Duration) : BuildEvent;

/// <param name="Excerpt">The Dockerfile's lines around the instruction, marked.</param>
public sealed record StepFailed(BuildStep Step, string Message, TimeSpan Duration, string? Excerpt) : BuildEvent;

/// <summary>Something that works but is probably not meant; one line.</summary>
public sealed record BuildWarning(string Text) : BuildEvent;

/// <param name="IsNew">The store did not have the image before.</param>
public sealed record BuildFinished(Digest ImageId, IReadOnlyList<string> Tags, bool IsNew) : BuildEvent;
