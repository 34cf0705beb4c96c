using Sampan.Api;

namespace Sampan.Engine;

public sealed partial class EngineService
{
    public BuildExplanation? ExplainBuild(string origin) => _store.BuildRecords.Get(origin) is not { } record ? null : new()
    {
        Origin = record.Origin,
        FinishedAt = GoTime.Format(record.Finished),
        Image = record.Image ?? "",
        Steps =
        [
            .. record.Steps.Where(step => step.IsReached).Select(step => new ExplainedStep
            {
                Stage = step.Stage,
                Line = step.Line,
                Text = step.Text,
                Cached = step.IsCached,
                Reasons = [.. step.Reasons],
            }),
        ],
    };
}
