using System.Globalization;
using System.Text;
using Sampan.Api;
using Sampan.Build.Progress;
using Sampan.Oci;

namespace Sampan.Engine.Builds;

/// <summary>A build's events in the shape of BuildKit's status, for live views and programs.</summary>
internal sealed class StatusProgress(TimeProvider time, Action<BuildStatus> send) : IBuildProgress
{
    private readonly Dictionary<string, string> _started = [];
    private bool _hasStages;

    public void Report(BuildEvent what)
    {
        if (what is BuildPlanned planned)
        {
            _hasStages = planned.StageNumbers.Count > 1;
        }
        else if (Status(what, GoTime.Format(time.GetUtcNow())) is { } status)
        {
            send(status);
        }
    }

    private BuildStatus? Status(BuildEvent what, string now)
    {
        switch (what)
        {
            case StepStarted { Step: var step }:
                _started[step.Id] = now;
                return new() { Vertexes = [Vertex(step)] };
            case StepFinished { Step: var step } finished:
                return new() { Vertexes = [Vertex(step, now, finished.IsCached)] };
            case StepFailed { Step: var step } failed:
                return new() { Vertexes = [Vertex(step, now, error: failed.Message, excerpt: failed.Excerpt)] };
            case StepOutput { Step: var step } output:
                return new() { Logs = [new() { Vertex = Id(step), Stream = output.Stream, Data = output.Data.ToArray(), Timestamp = now }] };
            case StepProgress { Step: var step } moved:
                return new() { Statuses = [new() { Id = moved.What, Vertex = Id(step), Current = moved.Bytes, Total = moved.TotalBytes, Timestamp = now }] };
            case BuildWarning { Text: var text }:
                return new() { Warnings = [new() { Short = Encoding.UTF8.GetBytes(text) }] };
            default:
                return null;
        }
    }

    private BuildVertex Vertex(BuildStep step, string? completed = null, bool cached = false, string? error = null, string? excerpt = null) => new()
    {
        Digest = Id(step),
        Name = $"[{Place(step)}] {step.Text}",
        Started = _started.GetValueOrDefault(step.Id),
        Completed = completed,
        Cached = cached,
        Error = error,
        Excerpt = excerpt,
    };

    private string Place(BuildStep step)
    {
        var number = step.Number is { } n ? string.Create(CultureInfo.InvariantCulture, $"{n}/{step.Total}") : "trigger";
        return !_hasStages || step.Stage < 0 ? number : char.IsAsciiDigit(step.StageName[0]) ? $"stage-{step.StageName} {number}" : $"{step.StageName} {number}";
    }

    private static string Id(BuildStep step) => Digest.OfSha256(Encoding.UTF8.GetBytes(step.Id)).ToString();
}
