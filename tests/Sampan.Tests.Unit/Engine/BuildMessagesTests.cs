using Sampan.Api;
using Sampan.Build.Progress;
using Sampan.Engine.Builds;
using Xunit;

namespace Sampan.Tests.Unit.Engine;

public sealed class BuildMessagesTests
{
    private const int Many = 3000;

    [Fact]
    public async Task A_client_that_stands_still_stops_nobody_from_reporting_and_then_hears_all_in_order()
    {
        var moving = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var heard = new List<string>();
        await using (var messages = new BuildMessages(new BuildOptions(), Client, TimeProvider.System, CancellationToken.None))
        {
            // Would wait for ever if reporting waited for the client.
            messages.Report(new BuildPlanned([0], Many));
            for (var i = 0; i < Many; i++)
            {
                messages.Report(new BuildWarning($"{i}"));
            }

            Assert.False(messages.HeardAsync().IsCompleted, "a client that heard nothing wants no more");
            moving.SetResult();
            await messages.HeardAsync();
        }

        Assert.Equal(Enumerable.Range(0, Many).Select(i => $"[Warning] {i}\n"), heard);

        async ValueTask Client(JsonMessage message)
        {
            await moving.Task;
            heard.Add(message.Stream!);
        }
    }

    [Fact]
    public async Task Nobody_waits_for_a_client_that_is_gone()
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var messages = new BuildMessages(new BuildOptions(), _ => new(gone.Task), TimeProvider.System, CancellationToken.None);
        for (var i = 0; i < Many; i++)
        {
            messages.Report(new BuildWarning($"{i}"));
        }

        var heard = messages.HeardAsync();
        gone.SetException(new IOException("broken pipe"));
        await Assert.ThrowsAnyAsync<Exception>(() => heard);
        Assert.Equal("broken pipe", (await Assert.ThrowsAsync<IOException>(() => messages.DisposeAsync().AsTask())).Message);
    }
}
