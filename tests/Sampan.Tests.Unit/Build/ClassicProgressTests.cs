using System.Text;
using Sampan.Build.Progress;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

public sealed class ClassicProgressTests
{
    private static readonly Digest Image = Digest.OfSha256("x"u8);

    [Fact]
    public void Parallel_stages_speak_one_after_the_other()
    {
        var text = new StringBuilder();
        var progress = new ClassicProgress(data => text.Append(Encoding.UTF8.GetString(data.Span)));
        BuildStep a = Step(0, 1, "FROM a"), b = Step(1, 2, "FROM b"), c = Step(0, 3, "RUN c");
        progress.Report(new BuildPlanned([0, 1], 3));
        progress.Report(new StepStarted(b));
        progress.Report(new StepStarted(a));
        progress.Report(new StepFinished(a, Image, false, default));
        progress.Report(new StepFinished(b, null, false, default));
        progress.Report(new StageFinished(1));
        progress.Report(new StepStarted(c));
        progress.Report(new StepLookedUp(c, new(false, ["env A changed"])));
        progress.Report(new StepRunning(c, new string('7', 64)));
        progress.Report(new StepOutput(c, 1, "hello\n"u8.ToArray()));
        progress.Report(new StepContainerRemoved(c, new string('7', 64)));
        progress.Report(new StepFinished(c, Image, false, default));
        progress.Report(new StageFinished(0));
        progress.Report(new BuildFinished(Image, ["x:latest"], false));
        Assert.Equal($"""
            Step 1/3 : FROM a
             ---> {Image.Short}
            Step 3/3 : RUN c
             ---> Running in 777777777777
            hello
             ---> Removed intermediate container 777777777777
             ---> {Image.Short}
            Step 2/3 : FROM b
             ---> 
            Successfully built {Image.Short}
            Successfully tagged x:latest

            """, text.ToString());
    }

    [Fact]
    public void A_stage_that_waits_keeps_the_end_of_endless_output()
    {
        var text = new StringBuilder();
        var progress = new ClassicProgress(data => text.Append(Encoding.UTF8.GetString(data.Span)));
        var b = Step(1, 1, "RUN b");
        progress.Report(new BuildPlanned([0, 1], 1));
        for (var i = 0; i < 1_000_000; i++)
        {
            progress.Report(new StepOutput(b, 1, Encoding.UTF8.GetBytes($"line {i}\n")));
        }

        progress.Report(new StageFinished(0));
        Assert.StartsWith("[…] earlier lines of this stage are left out\nline ", text.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("line 999999\n", text.ToString(), StringComparison.Ordinal);
        Assert.InRange(text.Length, 1_000_000, 3_000_000);
    }

    private static BuildStep Step(int stage, int number, string text) => new($"{stage}.{number}", stage, $"{stage}", number, 3, text, new(1, 1));
}
