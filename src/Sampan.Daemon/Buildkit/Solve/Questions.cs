using System.Globalization;
using System.Text;
using System.Text.Json;
using Sampan.Api;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>Questions about a Dockerfile that build nothing (<c>buildx build --check</c>, <c>--call</c>). The answers are metadata of a result.</summary>
internal static class Questions
{
    private const string Lint = "frontend.lint", Describe = "frontend.subrequests.describe";

    /// <exception cref="GrpcException">Unimplemented: an unknown question.</exception>
    public static SolveResult Answer(string question, IEngine engine, BuildOptions options) => question switch
    {
        Lint => Check(engine.CheckDockerfile(options), options),
        Describe => Result(json =>
        {
            json.WriteStartArray();
            foreach (var (name, description) in ((string, string)[])[(Lint, "What is odd in a Dockerfile"), (Describe, "Questions that are answered")])
            {
                json.WriteStartObject();
                json.WriteString("name", name);
                json.WriteString("version", "1.0.0");
                json.WriteString("type", "rpc");
                json.WriteString("description", description);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }, $"{Lint}\n{Describe}\n"),
        _ => throw new GrpcException(GrpcCode.Unimplemented, $"unsupported request {question}"),
    };

    /// <summary>The shape of BuildKit's <c>LintResults</c>.</summary>
    private static SolveResult Check(DockerfileCheck check, BuildOptions options)
    {
        var text = new StringBuilder();
        foreach (var finding in check.Findings)
        {
            text.Append(CultureInfo.InvariantCulture, $"WARNING: {finding.Rule} (line {finding.StartLine})\n{finding.Message}\n\n");
        }

        return Result(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("warnings");
            foreach (var finding in check.Findings)
            {
                json.WriteStartObject();
                json.WriteString("ruleName", finding.Rule);
                json.WriteString("description", finding.Summary);
                json.WriteString("detail", finding.Message);
                json.WriteStartObject("location");
                SourceDetail.WriteRanges(json, finding.StartLine, finding.EndLine);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("sources");
            json.WriteStartObject();
            SourceDetail.WriteInfo(json, options.Dockerfile, options.DockerfileContent ?? []);
            json.WriteEndObject();
            json.WriteEndArray();
            if (check.Failure is { } failure)
            {
                json.WriteStartObject("buildError");
                json.WriteString("message", failure);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }, text.ToString());
    }

    private static SolveResult Result(Action<Utf8JsonWriter> write, string text)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            write(json);
        }

        return new("")
        {
            Metadata = new Dictionary<string, byte[]>
            {
                ["result.json"] = bytes.ToArray(),
                ["result.txt"] = Encoding.UTF8.GetBytes(text),
                ["version"] = "1.0.0"u8.ToArray(),
            },
        };
    }
}
