using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands;
using Sampan.Linux;

namespace Sampan.Cli.Streams;

/// <summary>How the progress of a build is shown.</summary>
internal enum ProgressMode
{
    Plain,
    Tty,
    Quiet,
    RawJson,
}

/// <summary>Shows the steps of a build on standard error.</summary>
internal abstract class BuildView : IDisposable
{
    /// <summary>What <c>--progress</c> and <c>--quiet</c> come to; auto is tty where both our outputs are terminals that can move the cursor.</summary>
    public static ProgressMode Mode(string progress, bool quiet) => progress switch
    {
        "auto" or "plain" or "tty" or "quiet" or "rawjson" when quiet => ProgressMode.Quiet,
        "auto" => Terminal.Is(FdStream.StderrFd) && Terminal.Is(FdStream.StdoutFd) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb")
            ? ProgressMode.Tty : ProgressMode.Plain,
        "plain" => ProgressMode.Plain,
        "tty" => ProgressMode.Tty,
        "quiet" => ProgressMode.Quiet,
        "rawjson" => ProgressMode.RawJson,
        _ => throw new CliException($"invalid progress mode {progress} (auto, plain, tty, quiet or rawjson)"),
    };

    public static BuildView Of(ProgressMode mode)
    {
        // Large enough for a frame to be one write.
        var output = new StreamWriter(new FdStream(FdStream.StderrFd), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 64 * 1024);
        return mode == ProgressMode.Tty ? new StepsView(output, TimeProvider.System) : new RawView(output);
    }

    /// <summary>Takes what happened to the build's steps.</summary>
    public abstract void Status(JsonNode status);

    /// <summary>Takes what is said beside them: how far a base image is, and the text of a daemon that knows no steps.</summary>
    public abstract void Message(JsonNode message);

    /// <summary>The build has failed; its error follows.</summary>
    public abstract void Fail();

    public abstract void Dispose();

    /// <summary>The steps as they came, an object a line.</summary>
    private sealed class RawView(TextWriter output) : BuildView
    {
        public override void Status(JsonNode status) => Write(status.ToJsonString() + "\n");

        public override void Message(JsonNode message) => Write(message.Text("stream"));

        private void Write(string text)
        {
            output.Write(text);
            output.Flush();
        }

        public override void Fail()
        {
        }

        public override void Dispose()
        {
        }
    }
}
