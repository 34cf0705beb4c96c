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
        var ignore = options.IgnoreContent is { } content ? IgnoreMatcher.Parse(Encoding.UTF8.GetString(content)) : IgnoreMatcher.None;
        try
        {
            var model = DockerfileModel.Parse(options.DockerfileContent, options.Dockerfile);
            var report = Linter.Check(model, new()
            {
                BuildArgs = options.BuildArgs,
                Ignore = ignore,
                BaseEnvironment = new Builder(_store, new StepExecutor(this)).BaseEnvironment,
            });
            return new([.. report.Warnings.Select(w => new DockerfileFinding(w.Rule, LintRule.Find(w.Rule)?.Summary ?? "", w.Message, w.Lines.Start, w.Lines.End))],
                report.Failure);
        }
        catch (DockerfileException e) when (e.Lines is { } lines)
        {
            throw ParseError(e, lines, e.FileName, e.Excerpt);
        }
    }
}
