using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>
/// Restart policies: a container that ended starts again after a pause that doubles with each quick end
/// (https://docs.docker.com/engine/containers/start-containers-automatically/).
/// </summary>
public sealed partial class EngineService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100), LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>Who ran as long as this starts again without delay the next time.</summary>
    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(10);

    private static void ValidateRestartPolicy(RestartPolicy policy)
    {
        if (policy.Name is not ("" or "no" or "always" or "on-failure" or "unless-stopped"))
        {
            throw EngineException.Invalid(
                $"invalid restart policy: unknown policy '{policy.Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
        }

        if (policy.MaximumRetryCount != 0 && policy.Name != "on-failure")
        {
            throw EngineException.Invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
        }

        if (policy.MaximumRetryCount < 0)
        {
            throw EngineException.Invalid("invalid restart policy: maximum retry count cannot be negative");
        }
    }

    /// <summary>Whether a container that ended by itself is to start again.</summary>
    private static bool StartsAgain(ContainerRecord record, int exitCode) => !record.StoppedByUser && record.HostConfig.RestartPolicy switch
    {
        { Name: "always" or "unless-stopped" } => true,
        { Name: "on-failure", MaximumRetryCount: var most } => exitCode != 0 && (most == 0 || record.RestartCount < most),
        _ => false,
    };

    /// <summary>Whether a container that had ended before this daemon started is to start with it.</summary>
    private static bool StartsWithDaemon(ContainerRecord record) => record is { Status: ContainerStatus.Exited, StartedAt: not null }
        && (record.HostConfig.RestartPolicy.Name == "always" || (record.HostConfig.RestartPolicy.Name == "unless-stopped" && !record.StoppedByUser));

    /// <summary>Starts a container again after its pause, unless somebody ends the wait.</summary>
    private async Task RestartAsync(Container container, TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _time, container.BeginPause(_stopping.Token));
            await _reconciled.Task;
            await GatedAsync(container, _stopping.Token, async () =>
            {
                if (container.Record.Status == ContainerStatus.Restarting)
                {
                    container.Record.RestartCount++;
                    await StartLockedAsync(container, _stopping.Token);
                }
            });
        }
        catch (OperationCanceledException)
        {
            // Stopped, removed, or started by hand meanwhile; or the daemon ends, and the next one takes it up.
        }
        catch (EngineException e)
        {
            // The record says why it did not start; nobody waits for this task.
            await Console.Error.WriteLineAsync($"container {container.Id}: starting it again: {e.Message}");
        }
    }

    /// <summary>The pause before the next start, after a run of the given length.</summary>
    private static TimeSpan NextPause(Container container, TimeSpan ran)
    {
        var pause = ran >= LongEnough || container.LastPause == TimeSpan.Zero ? FirstPause : container.LastPause * 2;
        return container.LastPause = pause < LongestPause ? pause : LongestPause;
    }

    /// <summary>Ends the pause of a container that waits for its next start: it has ended for good. False when it does not wait.</summary>
    private Task<bool> EndPauseAsync(Container container, CancellationToken cancel)
    {
        container.EndPause();
        return GatedAsync(container, cancel, () =>
        {
            var record = container.Record;
            if (record.Status != ContainerStatus.Restarting)
            {
                return Task.FromResult(false);
            }

            (record.Status, record.StoppedByUser) = (ContainerStatus.Exited, true);
            _containers.Save(container);
            container.Ended(new ExitInfo { ExitCode = record.ExitCode });
            return Task.FromResult(true);
        });
    }
}
