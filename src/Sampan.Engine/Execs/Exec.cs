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
    private readonly ConcurrentDictionary<string, ExecState> _execs = new();

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
        var wanted = exec.Request;
        var process = ProcessOf(container, wanted, request.ConsoleSize ?? wanted.ConsoleSize);
        MonitorReply reply;
        MonitorStream stream;
        try
        {
            var attached = !request.Detach;
            (reply, stream) = await monitor.ExecAsync(id, process, attached && wanted.AttachStdin, attached && wanted.AttachStdout, attached && wanted.AttachStderr, cancel);
        }
        catch (MonitorException e)
        {
            exec.ExitCode = e.Error.ExitCode;
            var message = $"OCI runtime exec failed: {e.Message}";
            return request.Detach
                ? throw new EngineException(ErrorKind.InvalidParameter, message, e)
                : new FailedExecSession(message, wanted.Tty);
        }

        (exec.Running, exec.Pid) = (true, reply.Pid);
        Publish(container, "exec_start: " + string.Join(' ', wanted.Cmd!), ("execID", id));
        if (!request.Detach)
        {
            return new ExecSession(stream, wanted.Tty, wanted.DetachKeys, code => Ended(exec, code), () => Publish(container, "exec_detach"));
        }

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

    public Task ExecResizeAsync(string id, int height, int width, CancellationToken cancel)
    {
        var exec = FindExec(id);
        return exec.Running ? RequireRunning(exec.Container, "").ResizeAsync(id, height, width, cancel) : Task.CompletedTask;
    }

    public Task<ExecInspect> ExecInspectAsync(string id, CancellationToken cancel)
    {
        var exec = FindExec(id);
        return Task.FromResult(new ExecInspect
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
        });
    }

    private ExecState FindExec(string id) => _execs.TryGetValue(id, out var exec) ? exec : throw EngineException.NotFound($"No such exec instance: {id}");

    private void Ended(ExecState exec, int? code)
    {
        // Without a code the monitor went away, and with it the container.
        (exec.Running, exec.ExitCode, exec.Pid) = (false, code ?? 137, 0);
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
    /// A program that could not be executed: as with dockerd the reason comes where its output would, and its exit code (126, 127) is asked
    /// for afterwards.
    /// </summary>
    private sealed class FailedExecSession(string message, bool tty) : IAttachSession
    {
        public bool Tty => tty;

        public async Task RunAsync(Stream? clientInput, Stream clientOutput, CancellationToken cancel)
        {
            var text = System.Text.Encoding.UTF8.GetBytes(message + "\r\n");
            await clientOutput.WriteAsync(tty ? text : StdCopyFrame.Of(1, text), cancel);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class ExecSession(MonitorStream stream, bool tty, string detachKeys, Action<int?> ended, Action detached) : IAttachSession
    {
        private readonly AttachSession _attach = new(Task.FromResult<MonitorStream?>(stream), new CancellationTokenSource(), tty, detachKeys, null, detached);

        public bool Tty => tty;

        /// <summary>The exit code is recorded before the client sees the end of the stream and asks for it.</summary>
        public async Task RunAsync(Stream? clientInput, Stream clientOutput, CancellationToken cancel)
        {
            try
            {
                await _attach.RunAsync(clientInput, clientOutput, cancel);
            }
            finally
            {
                ended(stream.ExitCode);
            }
        }

        public ValueTask DisposeAsync() => _attach.DisposeAsync();
    }
}
