using System.Text;
using Sampan.Api;
using Sampan.Build;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;
using Sampan.Dockerfile.Lint;

namespace Sampan.Engine;

/// <summary>Checks a Dockerfile that is not to be built.</summary>
public sealed partial class EngineService
{
    public DockerfileCheck CheckDockerfile(BuildOptions options)
    {
        try
        {
            var model = DockerfileModel.Parse(options.DockerfileContent, options.Dockerfile);
            var report = Linter.Check(model, new()
            {
                BuildArgs = options.BuildArgs,
                Ignore = options.IgnoreContent is { } ignore ? IgnoreMatcher.Parse(Encoding.UTF8.GetString(ignore)) : IgnoreMatcher.None,
                BaseEnvironment = new Builder(_store, new StepExecutor(this)).BaseEnvironment,
            });
            return new([.. report.Warnings.Select(w => new DockerfileFinding(w.Rule, LintRule.Find(w.Rule)?.Summary ?? "", w.Message, w.Lines.Start, w.Lines.End))],
                report.Failure);
        }
        catch (DockerfileException e)
        {
            throw new EngineException(ErrorKind.InvalidParameter, e.Lines is { } lines ? $"dockerfile parse error on line {lines.Start}: {e.Message}" : e.Message, e)
            {
                Data = { ["lines"] = e.Lines is { } at ? (at.Start, at.End) : null },
            };
        }
    }
}
