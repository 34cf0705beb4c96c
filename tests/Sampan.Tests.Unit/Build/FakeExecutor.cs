using System.Collections.Concurrent;
using System.Text;
using Sampan.Build;

namespace Sampan.Tests.Unit.Build;

/// <summary>
/// Runs steps without a container. The command's last argument is a list of actions between semicolons: <c>write PATH TEXT</c>,
/// <c>mkdir PATH</c>, <c>touch PATH</c>, <c>link PATH TARGET</c>, <c>print TEXT</c>, <c>env NAME</c>, <c>exit CODE</c>, <c>hang</c>, <c>meet</c> (waits until another step meets too).
/// </summary>
internal sealed class FakeExecutor : IStepExecutor
{
    private readonly Barrier _meeting = new(2);

    public ConcurrentQueue<RunStep> Steps { get; } = [];

    public TaskCompletionSource Hanging { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task<int> RunAsync(RunStep step, Func<int, ReadOnlyMemory<byte>, Task> output, CancellationToken cancel)
    {
        Steps.Enqueue(step);
        Assert(Directory.Exists(step.Upper) && Directory.Exists(step.Work));
        foreach (var words in step.Args[^1].Split(';').Select(action => action.Trim().Split(' ', 3)))
        {
            switch (words[0])
            {
                case "write":
                    Directory.CreateDirectory(Path.GetDirectoryName(step.Upper + words[1])!);
                    await File.WriteAllTextAsync(step.Upper + words[1], words[2], cancel);
                    break;
                case "mkdir":
                    Directory.CreateDirectory(step.Upper + words[1]);
                    break;
                case "touch":
                    Directory.CreateDirectory(Path.GetDirectoryName(step.Upper + words[1])!);
                    await File.WriteAllTextAsync(step.Upper + words[1], "", cancel);
                    break;
                case "link":
                    File.CreateSymbolicLink(step.Upper + words[1], words[2]);
                    break;
                case "print":
                    await output(1, Encoding.UTF8.GetBytes(string.Join(' ', words[1..]) + "\n"));
                    break;
                case "env":
                    await output(1, Encoding.UTF8.GetBytes(step.Env.FirstOrDefault(e => e.StartsWith(words[1] + "=", StringComparison.Ordinal)) + "\n"));
                    break;
                case "exit":
                    return int.Parse(words[1]);
                case "hang":
                    Hanging.TrySetResult();
                    await Task.Delay(Timeout.Infinite, cancel);
                    break;
                case "meet":
                    await Task.Run(() => Assert(_meeting.SignalAndWait(TimeSpan.FromSeconds(30), cancel)), cancel);
                    break;
            }
        }

        return 0;
    }

    private static void Assert(bool condition) => Xunit.Assert.True(condition);
}
