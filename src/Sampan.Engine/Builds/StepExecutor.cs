using System.Text.Json;
using Sampan.Api;
using Sampan.Build;
using Sampan.Engine.Builds;
using Sampan.Engine.Containers;
using Sampan.Linux;
using Sampan.Oci;
using Sampan.Runtime;

namespace Sampan.Engine;

public sealed partial class EngineService
{
    /// <summary>Runs a build's commands as containers are run: a monitor, a sandbox on the bridge, the default rights.</summary>
    private sealed class StepExecutor(EngineService engine) : IStepExecutor
    {
        public async Task<int> RunAsync(RunStep step, Func<int, ReadOnlyMemory<byte>, Task> output, CancellationToken cancel)
        {
            var container = new Container(RecordOf(step));
            var record = container.Record;
            engine.TakeDefaults(record.HostConfig);
            var directory = engine.DataDirectory(step.Id);
            Directory.CreateDirectory(directory);
            await using var undo = new UndoStack();
            undo.Push("directory of the step", () => Store.TreeRemover.Remove(directory));
            var overlay = new OverlayRootfs(engine.LowerDirectories(step.Lower), step.Upper, step.Work);
            engine.ConnectNetwork(container, undo);
            using var network = container.Sandbox?.OpenNamespace();
            engine.WriteHostFiles(record);
            var user = UserLookup.Resolve(step.User, null, ContainerFiles.OfOverlay(overlay));
            var spec = SpecBuilder.Build(record, user, new Surroundings(directory, engine._usualSeccomp) { NetworkNamespace = engine.NetworkNamespaceOf(record, network) });
            var run = engine.RunDirectory(step.Id);
            Directory.CreateDirectory(run);
            undo.Push("run directory", () => engine.RemoveRunDirectory(step.Id));
            for (var i = 0; i < step.Mounts.Count; i++)
            {
                spec.Mounts!.Add(MountOf(step.Mounts[i], Path.Combine(run, $"mount{i}"), undo));
            }

            File.WriteAllBytes(Path.Combine(run, "config.json"), JsonSerializer.SerializeToUtf8Bytes(spec, RuntimeJson.Default.Spec));
            var monitor = await MonitorClient.LaunchAsync(
                new MonitorConfig { Id = step.Id, RunDirectory = run, Overlay = overlay, ExitPath = engine.ExitPath(step.Id), CgroupPath = CgroupPath(step.Limits.CgroupParent, step.Id) },
                "/proc/self/exe",
                cancel);

            undo.Push("monitor of the step", monitor.Dispose);

            // Whatever happens from here on, nothing may use the directories when this returns.
            undo.Push("step's container", async () =>
            {
                if (!monitor.Exited.IsCompleted)
                {
                    Cgroup.Open(CgroupPath(step.Limits.CgroupParent, step.Id)).KillAll();
                    await monitor.Exited.WaitAsync(KillTimeout);
                }
            });
            try
            {
                using var stream = await monitor.AttachAsync(stdin: false, stdout: true, stderr: true, cancel);
                await monitor.StartAsync(cancel);
                while (await stream.ReadFrameAsync(cancel) is { } frame)
                {
                    await output(frame.Stream, frame.Data);
                }

                return (await monitor.Exited.WaitAsync(cancel)).ExitCode;
            }
            catch (MonitorException e)
            {
                await output(2, System.Text.Encoding.UTF8.GetBytes(e.Message + "\n"));
                return e.Error.ExitCode;
            }
        }

        private static ContainerRecord RecordOf(RunStep step) => new()
        {
            Id = step.Id,
            Name = step.Id,
            Created = DateTimeOffset.UnixEpoch,
            ImageId = "",
            Image = "",
            Config = new ContainerConfig
            {
                Hostname = "buildkitsandbox",
                Env = [.. step.Env],
                WorkingDir = step.Cwd,
                User = step.User,
                Entrypoint = [.. step.Args],
            },
            HostConfig = new HostConfig
            {
                NetworkMode = step.NetworkMode is "default" or "" ? "bridge" : step.NetworkMode,
                Privileged = step.Insecure,
                ShmSize = step.ShmSizeBytes,
                ExtraHosts = [.. step.ExtraHosts],
                Memory = step.Limits.MemoryBytes,
                MemorySwap = step.Limits.MemorySwapBytes,
                CpuShares = step.Limits.CpuShares,
                CpuPeriod = step.Limits.CpuPeriodMicroseconds,
                CpuQuota = step.Limits.CpuQuotaMicroseconds,
                CpusetCpus = step.Limits.CpusetCpus,
                CpusetMems = step.Limits.CpusetMems,
                Ulimits = [.. step.Limits.Ulimits.Select(Ulimit.Parse)],
            },
        };

        /// <param name="mount">What the step asked for.</param>
        /// <param name="place">A path in the run directory, which is in memory (/run), for what the mount needs.</param>
        /// <param name="undo">Takes what was mounted.</param>
        private Oci.Mount MountOf(StepMount mount, string place, UndoStack undo)
        {
            var source = mount.Source;
            if (mount.Kind == StepMountKind.Tmpfs)
            {
                List<string> size = mount.SizeBytes > 0 ? [$"size={mount.SizeBytes}"] : [];
                return new Oci.Mount { Destination = mount.Target, Type = "tmpfs", Source = "tmpfs", Options = ["nosuid", "nodev", .. size] };
            }

            if (mount.Kind == StepMountKind.File)
            {
                source = place;
                File.WriteAllBytes(place, mount.Content.ToArray());
                Files.SetOwner(place, mount.Uid, mount.Gid, mount.Mode);
            }
            else if (mount.Kind == StepMountKind.Agent)
            {
                source = place;
                undo.Push("relay to the agent", AgentRelay.Start(place, mount.Source!, mount.Uid, mount.Gid, mount.Mode).DisposeAsync);
            }
            else if (mount.Kind == StepMountKind.Overlay)
            {
                Directory.CreateDirectory(place + ".upper");
                Directory.CreateDirectory(place + ".work");
                Directory.CreateDirectory(place + ".empty");
                var root = mount.ReadOnly
                    ? MergedRoot.OfLayers([.. mount.Lower, place + ".empty"], null, null, engine.MountDirectory)
                    : MergedRoot.OfLayers(mount.Lower, place + ".upper", place + ".work", engine.MountDirectory);
                undo.Push("mount of layers", root.Dispose);
                source = root.Resolve(mount.SubPath);
            }

            return new Oci.Mount { Destination = mount.Target, Type = "bind", Source = source, Options = ["rbind", "rprivate", mount.ReadOnly ? "rro" : "rw"] };
        }
    }
}
