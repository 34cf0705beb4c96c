using System.Collections.Concurrent;
using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Runtime;
using ConsoleSize = Sampan.Oci.ConsoleSize;
using Process = Sampan.Oci.Process;

namespace Sampan.Engine;

/// <summary>Running further programs in a container.</summary>
public sealed partial class EngineService
{
    /// <summary>How long an exec that has ended can be inspected.</summary>
    private static readonly TimeSpan EndedExecsKept = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, ExecState> _execs = new();
    private readonly ConcurrentQueue<(DateTimeOffset Ended, string Id)> _endedExecs = new();

    private sealed class ExecState(string id, Container container, ExecCreateRequest request)
    {
        public string Id => id;

        public Container Container => container;

        public ExecCreateRequest Request => request;

        public bool Started { get; set; }

        public bool Running { get; set; }

        public int? ExitCode { get; set; }

        public int Pid { get; set; }
    }

    public Task<string> ExecCreateAsync(string name, ExecCreateRequest request, CancellationToken cancel)
    {
        var container = _containers.Get(name);
        RequireRunning(container, "");
        if (container.Record.Status == ContainerStatus.Paused)
        {
            throw EngineException.Conflict($"Container {name} is paused, unpause the container before exec");
        }

        if (request.Cmd is not { Count: > 0 })
        {
            throw EngineException.Invalid("No exec command specified");
        }

        while (_endedExecs.TryPeek(out var oldest) && oldest.Ended + EndedExecsKept < _time.GetUtcNow() && _endedExecs.TryDequeue(out oldest))
        {
            _execs.TryRemove(oldest.Id, out _);
        }

        var exec = new ExecState(Names.NewId(), container, request);
        _execs[exec.Id] = exec;
        Publish(container, "exec_create: " + string.Join(' ', request.Cmd), ("execID", exec.Id));
        return Task.FromResult(exec.Id);
    }

    public async Task<IAttachSession?> ExecStartAsync(string id, ExecStartRequest request, CancellationToken cancel)
    {
        var exec = FindExec(id);
        if (exec.Started)
        {
            throw EngineException.Conflict($"Error: Exec command {id} has already run");
        }

        var container = exec.Container;
        var monitor = RequireRunning(container, "");
        exec.Started = true;
        var process = ProcessOf(container, exec.Request, request.ConsoleSize ?? exec.Request.ConsoleSize);
        if (!request.Detach)
        {
            return new ExecSession(this, exec, monitor, process);
        }

        var stream = await LaunchAsync(exec, monitor, process, attached: false, cancel);
        _ = Task.Run(
            async () =>
            {
                using (stream)
                {
                    await stream.CopyToAsync(Stream.Null, frames: true, CancellationToken.None);
                }

                Ended(exec, stream.ExitCode);
            },
            CancellationToken.None);
        return null;
    }

    private async Task<MonitorStream> LaunchAsync(ExecState exec, MonitorClient monitor, Process process, bool attached, CancellationToken cancel)
    {
        var wanted = exec.Request;
        try
        {
            var (reply, stream) = await monitor.ExecAsync(exec.Id, process, attached && wanted.AttachStdin, attached && wanted.AttachStdout, attached && wanted.AttachStderr, cancel);
            (exec.Running, exec.Pid) = (true, reply.Pid);
            Publish(exec.Container, "exec_start: " + string.Join(' ', wanted.Cmd!), ("execID", exec.Id));
            return stream;
        }
        catch (MonitorException e)
        {
            exec.ExitCode = e.Error.ExitCode;
            throw new EngineException(ErrorKind.InvalidParameter, $"OCI runtime exec failed: {e.Message}", e);
        }
    }

    public Task ExecResizeAsync(string id, int height, int width, CancellationToken cancel)
    {
        var exec = FindExec(id);
        return exec.Running ? RequireRunning(exec.Container, "").ResizeAsync(id, height, width, cancel) : Task.CompletedTask;
    }

    public async Task<ExecInspect> ExecInspectAsync(string id, CancellationToken cancel)
    {
        var exec = FindExec(id);
        if (exec.Running)
        {
            await RefreshAsync(exec, cancel);
        }

        return new ExecInspect
        {
            ID = id,
            Running = exec.Running,
            ExitCode = exec.ExitCode,
            ProcessConfig = new ProcessConfig { Tty = exec.Request.Tty, Entrypoint = exec.Request.Cmd![0], Arguments = exec.Request.Cmd[1..], Privileged = exec.Request.Privileged, User = exec.Request.User },
            OpenStdin = exec.Request.AttachStdin,
            OpenStdout = exec.Request.AttachStdout,
            OpenStderr = exec.Request.AttachStderr,
            ContainerID = exec.Container.Id,
            DetachKeys = exec.Request.DetachKeys,
            Pid = exec.Pid,
        };
    }

    /// <summary>Nobody may be attached any more: the monitor knows what became of it.</summary>
    private async Task RefreshAsync(ExecState exec, CancellationToken cancel)
    {
        if (exec.Container.Monitor is not { } monitor)
        {
            Ended(exec, null);
        }
        else if ((await monitor.GetStateAsync(cancel)).Execs?.Find(e => e.Id == exec.Id) is { ExitCode: { } code })
        {
            Ended(exec, code);
        }
    }

    private ExecState FindExec(string id) => _execs.TryGetValue(id, out var exec) ? exec : throw EngineException.NotFound($"No such exec instance: {id}");

    private void Ended(ExecState exec, int? code)
    {
        // Without a code the monitor went away, and with it the container.
        (exec.Running, exec.ExitCode, exec.Pid) = (false, code ?? 137, 0);
        _endedExecs.Enqueue((_time.GetUtcNow(), exec.Id));
        Publish(exec.Container, "exec_die", ("execID", exec.Id), ("exitCode", exec.ExitCode.Value.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    private static Process ProcessOf(Container container, ExecCreateRequest wanted, List<int>? size)
    {
        var record = container.Record;
        var user = UserLookup.Resolve(wanted.User.Length > 0 ? wanted.User : record.Config.User, record.HostConfig.GroupAdd, ContainerFiles.OfProcess(record.Pid));
        var capabilities = SpecBuilder.Capabilities(wanted.Privileged ? new HostConfig { Privileged = true } : record.HostConfig);
        var process = SpecBuilder.Process(record, user, wanted.Cmd!, wanted.Tty, capabilities);
        foreach (var variable in wanted.Env ?? [])
        {
            process.Env.RemoveAll(v => v.StartsWith(variable.Split('=')[0] + "=", StringComparison.Ordinal));
            process.Env.Add(variable);
        }

        return process with
        {
            Cwd = wanted.WorkingDir.Length > 0 ? wanted.WorkingDir : process.Cwd,
            ConsoleSize = wanted.Tty && size is [> 0, > 0] ? new ConsoleSize(size[0], size[1]) : null,
        };
    }

    /// <summary>
    /// An attached exec. It starts when the client has its answer: clients that read the head of the answer through a buffer (docker-py)
    /// lose output that comes with it. A program that cannot be executed is told where its output would be, as with dockerd, and its exit
    /// code (126, 127) is asked for afterwards.
    /// </summary>
    private sealed class ExecSession(EngineService engine, ExecState exec, MonitorClient monitor, Process process) : IAttachSession
    {
        public bool Tty => exec.Request.Tty;

        public async Task RunAsync(Stream? clientInput, Stream clientOutput, CancellationToken cancel)
        {
            MonitorStream stream;
            try
            {
                stream = await engine.LaunchAsync(exec, monitor, process, attached: true, cancel);
            }
            catch (EngineException e)
            {
                var text = System.Text.Encoding.UTF8.GetBytes(e.Message + "\r\n");
                await clientOutput.WriteAsync(Tty ? text : StdCopyFrame.Of(1, text), cancel);
                return;
            }

            await using var attach = new AttachSession(
                Task.FromResult<MonitorStream?>(stream), new CancellationTokenSource(), Tty, exec.Request.DetachKeys, null, () => engine.Publish(exec.Container, "exec_detach"));
            try
            {
                await attach.RunAsync(clientInput, clientOutput, cancel);
            }
            finally
            {
                // Recorded before the client sees the end of the stream and asks for it. A client that went away leaves the program running.
                if (stream.ExitCode is not null || monitor.Exited.IsCompleted)
                {
                    engine.Ended(exec, stream.ExitCode);
                }
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
