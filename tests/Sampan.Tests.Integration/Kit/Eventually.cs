using System.Diagnostics;
using Xunit;

namespace Sampan.Tests.Integration.Kit;

/// <summary>Waits for what must become true, never longer than a limit and never for a fixed time.</summary>
public static class Eventually
{
    /// <summary>Polls until <paramref name="condition"/> holds; fails the test with <paramref name="what"/> after the limit.</summary>
    public static Task IsTrue(Func<bool> condition, int timeoutSeconds, Func<string> what) =>
        IsTrue(() => Task.FromResult(condition()), timeoutSeconds, what);

    /// <summary>Polls until <paramref name="condition"/> holds; fails the test with <paramref name="what"/> after the limit.</summary>
    public static async Task IsTrue(Func<Task<bool>> condition, int timeoutSeconds, Func<string> what)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > Patience.Seconds(timeoutSeconds))
                Assert.Fail($"not within {timeoutSeconds} s: {what()}");
            await Task.Delay(20);
        }
    }
}
