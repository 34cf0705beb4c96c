using System.Text;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;

namespace Sampan.Engine;

/// <summary>Health checks: a program that runs in the container now and then (https://docs.docker.com/reference/dockerfile/#healthcheck).</summary>
public sealed partial class EngineService
{
    private const int DefaultRetries = 3, OutputLimit = 4096;
    private const long NanosecondsPerTick = 100, ShortestNanoseconds = 1_000_000;

    private static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(30), DefaultStartInterval = TimeSpan.FromSeconds(5);

    /// <summary>How long a check may take to end after SIGKILL; what it left behind in the container is then no longer waited for.</summary>
    private static readonly TimeSpan KilledCheck = TimeSpan.FromSeconds(5);

    private static void ValidateHealthcheck(HealthConfig? check)
    {
        if (check is null)
        {
            return;
        }

        foreach (var (name, nanoseconds) in (ReadOnlySpan<(string, long)>)[("Interval", check.Interval), ("Timeout", check.Timeout),
            ("StartPeriod", check.StartPeriod), ("StartInterval", check.StartInterval)])
        {
            if (nanoseconds is not 0 and < ShortestNanoseconds)
            {
                throw EngineException.Invalid($"{name} in Healthcheck cannot be less than 1ms");
            }
        }

        if (check.Retries < 0)
        {
            throw EngineException.Invalid("Retries in Healthcheck cannot be negative");
        }

        if (check.Test is [not ("NONE" or "CMD" or "CMD-SHELL"), ..])
        {
            throw EngineException.Invalid($"Unknown healthcheck type '{check.Test[0]}' (expected 'CMD')");
        }
    }

    /// <summary>The command of the checks; null when there are none.</summary>
    private static List<string>? HealthCommand(ContainerConfig config) => config.Healthcheck?.Test switch
    {
        ["CMD", _, ..] test => test[1..],
        ["CMD-SHELL", _, ..] test => [.. config.Shell ?? ["/bin/sh", "-c"], .. test[1..]],
        _ => null,
    };

    /// <summary>Checks a running container until it ends.</summary>
    /// <param name="adopted">It ran before this daemon: its health is asked for at once, rather than an interval later.</param>
    private async Task CheckHealthAsync(Container container, MonitorClient monitor, bool adopted)
    {
        var record = container.Record;
        container.Health = null;
        if (HealthCommand(record.Config) is not { } command)
        {
            return;
        }

        var check = record.Config.Healthcheck!;
        var health = container.Health = new HealthState();
        var startsUntil = (record.StartedAt ?? _time.GetUtcNow()) + Span(check.StartPeriod, TimeSpan.Zero);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        _ = monitor.Exited.ContinueWith(_ => ended.Cancel(), TaskContinuationOptions.ExecuteSynchronously);
        try
        {
            for (var first = adopted; ; first = false)
            {
                var starting = health.Status == HealthState.Starting && _time.GetUtcNow() < startsUntil;
                var pause = starting ? Span(check.StartInterval, DefaultStartInterval) : Span(check.Interval, DefaultInterval);
                await Task.Delay(first ? TimeSpan.Zero : pause, _time, ended.Token);
                if (record.Status == ContainerStatus.Paused)
                {
                    continue;
                }

                var began = _time.GetUtcNow();
                var result = await CheckOnceAsync(container, monitor, command, Span(check.Timeout, DefaultInterval), ended.Token);
                if (health.Add(result, began < startsUntil, check.Retries > 0 ? check.Retries : DefaultRetries) is { } status)
                {
                    Publish(container, "health_status: " + status);
                }
            }
        }
        catch (Exception) when (ended.IsCancellationRequested || monitor.Exited.IsCompleted)
        {
            // The container ended (or the daemon does), perhaps in the middle of a check, which then says nothing.
            health.End();
        }
    }

    /// <summary>One check: its exit code and the start of its output; -1 when it could not be run or took too long.</summary>
    private async Task<HealthcheckResult> CheckOnceAsync(
        Container container, MonitorClient monitor, List<string> command, TimeSpan patience, CancellationToken cancel)
    {
        var exec = new ExecState(Names.NewId(), container, new ExecCreateRequest { Cmd = command, AttachStdout = true, AttachStderr = true });
        var output = new MemoryStream();
        var result = new HealthcheckResult { Start = GoTime.Format(_time.GetUtcNow()), ExitCode = -1 };
        Publish(container, "exec_create: " + string.Join(' ', command), ("execID", exec.Id));
        try
        {
            using var stream = await LaunchAsync(exec, monitor, ProcessOf(container, exec.Request, null), attached: true, cancel);
            var reading = CollectAsync(stream, output);
            if (await Task.WhenAny(reading, Task.Delay(patience, _time, cancel)) == reading)
            {
                await reading;
                result.ExitCode = stream.ExitCode ?? -1;
                Ended(exec, stream.ExitCode);
            }
            else
            {
                cancel.ThrowIfCancellationRequested();
                await monitor.SignalExecAsync(exec.Id, Signals.Kill, cancel);
                await Task.WhenAny(reading, Task.Delay(KilledCheck, _time, cancel));
                output = new MemoryStream(Encoding.UTF8.GetBytes($"Health check exceeded timeout ({Dockerfile.Instructions.GoDuration.Format(patience)})"));
                Ended(exec, 137);
            }
        }
        catch (EngineException e)
        {
            output = new MemoryStream(Encoding.UTF8.GetBytes(e.Message));
        }

        result.End = GoTime.Format(_time.GetUtcNow());
        result.Output = Encoding.UTF8.GetString(output.ToArray());
        return result;
    }

    /// <summary>Reads to the end and keeps the start.</summary>
    private static async Task CollectAsync(MonitorStream stream, MemoryStream output)
    {
        var truncated = false;
        while (await stream.ReadFrameAsync(CancellationToken.None) is { } frame)
        {
            var room = (int)Math.Min(frame.Data.Length, OutputLimit - output.Length);
            output.Write(frame.Data.Span[..room]);
            truncated |= room < frame.Data.Length;
        }

        if (truncated)
        {
            output.Write("..."u8);
        }
    }

    private static TimeSpan Span(long nanoseconds, TimeSpan otherwise) =>
        nanoseconds > 0 ? TimeSpan.FromTicks(nanoseconds / NanosecondsPerTick) : otherwise;
}
