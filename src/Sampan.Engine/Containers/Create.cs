using Sampan.Api;
using Sampan.Engine.Containers;
using Sampan.Engine.Networks;
using Sampan.Oci;

namespace Sampan.Engine;

/// <summary>Creating a container: (1) image, (2) configuration, (3) mounts, (4) directories, (5) record.</summary>
public sealed partial class EngineService
{
    private const long MinimumMemory = 6 << 20;

    public async Task<ContainerCreateResponse> CreateAsync(CreateContainerRequest request, string? name, string? platform, CancellationToken cancel)
    {
        var host = request.HostConfig ?? new HostConfig();
        Validate(request, host);

        // :: 1 image
        if (request.Image.Length == 0)
        {
            throw EngineException.Invalid("no image specified");
        }

        // Until the container has its record nothing else keeps the layers.
        using var lease = _store.Lease();
        var image = _store.Images.Resolve(request.Image);
        if (image.ChainId is { } chain)
        {
            _store.Layers.Stack(chain);
        }

        // :: 2 configuration — the image's, with the user's on top
        var id = Names.NewId();
        name = string.IsNullOrEmpty(name) ? Names.Generate(_containers.HasName) : Names.Validate(name);
        var networks = ReadNetworks(request, host);
        var config = ConfigMerger.Merge(request, image.Config.Config ?? new ImageRuntimeConfig(), HostNameOf(host, id));
        if ((config.Entrypoint ?? []).Count + (config.Cmd ?? []).Count == 0)
        {
            throw EngineException.Invalid("no command specified");
        }

        var cgroupParent = CgroupParentOf(host.CgroupParent);
        host.Links = ReadLinks(host, name);
        host.MemorySwap = host is { Memory: > 0, MemorySwap: 0 } && Runtime.CgroupFeatures.Current.Swap ? host.Memory * 2 : host.MemorySwap;
        host.Runtime = string.IsNullOrEmpty(host.Runtime) ? RequestChecks.UsualRuntime : host.Runtime;
        TakeDefaults(host);
        var discarded = RequestChecks.Discard(host);
        await using var undo = new UndoStack();

        // :: 3 mounts — volumes are made now, binds looked at when the container starts
        var mounts = PrepareMounts(config, host, undo);

        // :: 4 directories
        var directory = DataDirectory(id);
        Directory.CreateDirectory(directory);
        Linux.Raw.Fchmodat(Linux.Raw.AT_FDCWD, Linux.CString.Of(directory), 0x1C8); // 0710
        undo.Push($"directory of {id}", () => Store.TreeRemover.Remove(directory));
        foreach (var part in (string[])["upper", "work", "empty"])
        {
            Directory.CreateDirectory(Path.Combine(directory, part));
        }

        // :: 5 record
        var container = _containers.Add(new ContainerRecord
        {
            Id = id,
            Name = name,
            Created = _time.GetUtcNow(),
            ImageId = image.Id.ToString(),
            Image = request.Image,
            ChainId = image.ChainId?.ToString(),
            Config = config,
            HostConfig = host,
            Networks = networks,
            CgroupParent = cgroupParent,
            Mounts = mounts,
        });
        undo.Keep();
        Publish(container, "create");
        return new ContainerCreateResponse { Id = id, Warnings = [.. NetworkWarnings(host), .. discarded] };
    }

    private static void Validate(CreateContainerRequest request, HostConfig host)
    {
        if (host.Memory is > 0 and < MinimumMemory)
        {
            throw EngineException.Invalid("Minimum memory limit allowed is 6MB");
        }

        if (host.MemorySwap > 0 && host.Memory > 0 && host.MemorySwap < host.Memory)
        {
            throw EngineException.Invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
        }

        if (host.NanoCpus < 0 || host.NanoCpus > Environment.ProcessorCount * 1_000_000_000L)
        {
            throw EngineException.Invalid($"range of CPUs is from 0.01 to {Environment.ProcessorCount}.00, as there are only {Environment.ProcessorCount} CPUs available");
        }

        if (host.AutoRemove && host.RestartPolicy.Name is not ("" or "no"))
        {
            throw EngineException.Invalid("can't create 'AutoRemove' container with restart policy");
        }

        RequestChecks.Host(host);
        ValidateRestartPolicy(host.RestartPolicy);
        ValidateHealthcheck(request.Healthcheck);
        if (request.StopSignal is { Length: > 0 } signal)
        {
            Signals.Parse(signal);
        }

        if (request.WorkingDir.Length > 0 && !request.WorkingDir.StartsWith('/'))
        {
            throw EngineException.Invalid($"the working directory '{request.WorkingDir}' is invalid, it needs to be an absolute path");
        }

        PortRequests.Read(host, request);
        SpecBuilder.Capabilities(host);
    }

    private List<ContainerMount> PrepareMounts(ContainerConfig config, HostConfig host, UndoStack undo)
    {
        var requests = new List<MountRequest>();
        foreach (var request in (host.Binds ?? []).Select(MountParser.ParseBind).Concat((host.Mounts ?? []).Select(MountParser.OfMount))
            .Concat((host.Tmpfs ?? []).Select(t => new MountRequest { Type = "tmpfs", Destination = MountParser.CleanDestination(t.Key, t.Key), TmpfsOptions = t.Value })))
        {
            if (requests.Exists(r => r.Destination == request.Destination))
            {
                throw EngineException.Invalid($"Duplicate mount point: {request.Destination}");
            }

            requests.Add(request);
        }

        List<ContainerMount> others = [.. MountsOfOthers(host.VolumesFrom ?? []).Where(m => !requests.Exists(r => r.Destination == m.Destination))];
        foreach (var destination in (config.Volumes ?? []).Keys.Select(v => MountParser.CleanDestination(v, v)))
        {
            if (!requests.Exists(r => r.Destination == destination) && !others.Exists(m => m.Destination == destination))
            {
                requests.Add(new MountRequest { Type = "volume", Destination = destination });
            }
        }

        return [.. others, .. requests.Select(r => Prepare(r, undo))];
    }

    private ContainerMount Prepare(MountRequest request, UndoStack undo)
    {
        var mount = new ContainerMount
        {
            Type = request.Type,
            Source = request.Source,
            Destination = request.Destination,
            ReadOnly = request.ReadOnly,
            Mode = request.Mode,
            Propagation = request.Propagation,
            NonRecursive = request.NonRecursive,
            ReadOnlyNonRecursive = request.ReadOnlyNonRecursive,
            TmpfsOptions = request.TmpfsOptions,
        };
        if (request.Type == "bind")
        {
            if (!Path.Exists(request.Source))
            {
                if (!request.CreateSource)
                {
                    throw EngineException.Invalid($"invalid mount config for type \"bind\": bind source path does not exist: {request.Source}");
                }

                Directory.CreateDirectory(request.Source);
            }
        }
        else if (request.Type == "volume")
        {
            var (volume, isNew) = _volumes.Ensure(request.Source, request.VolumeLabels, request.VolumeOptions);
            if (isNew)
            {
                undo.Push($"volume {volume.Name}", () => _volumes.Remove(volume.Name, force: true));
            }

            mount = mount with { Name = volume.Name, Source = _volumes.DataPath(volume.Name), Anonymous = request.Source.Length == 0, FillFromImage = isNew && !request.NoCopy };
        }

        return mount;
    }
}
