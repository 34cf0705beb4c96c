using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Sampan.Build.Files;
using Sampan.Dockerfile.Instructions;
using Sampan.Linux;
using Sampan.Store;

namespace Sampan.Build.Steps;

/// <summary>What the <c>--mount</c>s of a RUN come to.</summary>
/// <param name="KeyParts">What of them counts for the cache: what they show, not what is in a cache or secret.</param>
/// <param name="Locks">Caches that only one step may use at a time.</param>
internal sealed record PlannedMounts(IReadOnlyList<StepMount> Mounts, IReadOnlyList<CacheKeyPart> KeyParts, IReadOnlyList<string> Locks)
{
    /// <summary>Mounts that show files of the user's own directory, by their number, and what of it they show.</summary>
    public IReadOnlyDictionary<int, Transfer> Live { get; init; } = new Dictionary<int, Transfer>();

    /// <summary>
    /// The mounts, with copies in place of the user's own files: a step sees what its key says and nothing that the ignore file leaves out,
    /// owned by root as in a context that was sent.
    /// </summary>
    /// <param name="work">Where the copies go; it outlives the step.</param>
    /// <param name="timeSeconds">When all files were last changed, as far as the step can see.</param>
    public IReadOnlyList<StepMount> Copied(TempDirectory work, long timeSeconds, CancellationToken cancel) =>
    [
        .. Mounts.Select((mount, i) =>
        {
            if (!Live.TryGetValue(i, out var files))
            {
                return mount;
            }

            var copy = work.Make($"context{i}", 0x1ED);
            files.Write(copy, new MergedView([]), timeSeconds, cancel);
            return mount.Kind == StepMountKind.Bind ? mount with { Source = copy + mount.SubPath.TrimEnd('/') } : mount with { Lower = [copy] };
        }),
    ];

    private static readonly ConcurrentDictionary<string, SemaphoreSlim> Gates = new();

    /// <summary>Waits for all locked caches, in one order for all steps so that none waits for another in a circle.</summary>
    public async Task<IDisposable> LockAsync(CancellationToken cancel)
    {
        var held = new Held();
        try
        {
            foreach (var path in Locks.Distinct().Order(StringComparer.Ordinal))
            {
                var gate = Gates.GetOrAdd(path, _ => new(1));
                await gate.WaitAsync(cancel);
                held.Gates.Push(gate);
            }

            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private sealed class Held : IDisposable
    {
        public Stack<SemaphoreSlim> Gates { get; } = [];

        public void Dispose()
        {
            while (Gates.TryPop(out var gate))
            {
                gate.Release();
            }
        }
    }
}

/// <summary>Turns <c>RUN --mount=…</c> into mounts for the executor.</summary>
internal sealed class MountPlanner(StepContext context, RunInstruction instruction)
{
    private readonly List<StepMount> _mounts = [];
    private readonly List<CacheKeyPart> _parts = [];
    private readonly List<string> _locks = [];
    private readonly Dictionary<int, Transfer> _live = [];

    /// <exception cref="BuildException">A source or a required secret is missing, or the type is not built yet.</exception>
    public PlannedMounts Plan(CancellationToken cancel)
    {
        var expand = context.Expand(instruction);
        foreach (var mount in instruction.Mounts)
        {
            _parts.Add(new($"mount {_parts.Count}", mount.Text));
            var target = mount.Target is null ? null : Absolute(expand(mount.Target));
            switch (mount.Type)
            {
                case "bind":
                    Bind(mount, target!, mount.Source is null ? "/" : expand(mount.Source), cancel);
                    break;
                case "cache":
                    Cache(mount, target!, mount.Id is null ? target! : expand(mount.Id));
                    break;
                case "tmpfs":
                    _mounts.Add(new(StepMountKind.Tmpfs, target!, ReadOnly: false) { SizeBytes = mount.SizeBytes });
                    break;
                case "secret":
                    Secret(mount, target, expand);
                    break;
                default:
                    throw new BuildException(BuildErrorKind.NotSupported, $"not supported yet: RUN --mount=type={mount.Type}");
            }
        }

        return new(_mounts, _parts, _locks) { Live = _live };
    }

    private void Bind(MountOptions mount, string target, string source, CancellationToken cancel)
    {
        var isReadOnly = mount.ReadOnly ?? true;
        var view = mount.From is { } from ? new MergedView(context.Sources[from].Layers) : context.Session.Context.View;
        var node = view.Resolve(source).Node ?? throw new BuildException(
            BuildErrorKind.InvalidInput, $"failed to find the source '{source}' of --mount={mount.Text}");
        if (mount.From is not null)
        {
            _parts.Add(new($"mount {_parts.Count}", context.Sources[mount.From].Chain?.ToString() ?? "scratch"));
            _mounts.Add(new(StepMountKind.Overlay, target, isReadOnly) { Lower = context.Sources[mount.From].Layers, SubPath = node.Path });
            return;
        }

        var files = TransferPlanner.Plan(
            new()
            {
                Keyword = "RUN --mount",
                Sources = [source.Replace("[", "\\[")],
                Destination = node.Stat.IsDirectory ? "/" : "/file",
                WorkingDirectory = "/",
                Ignore = context.Session.Context.Ignore,
            },
            view, new MergedView([]), _ => null);
        _parts.AddRange(files.KeyParts(cancel));
        if (context.Session.Request.ContextIsLive)
        {
            _live[_mounts.Count] = files;
            _mounts.Add(new(isReadOnly ? StepMountKind.Bind : StepMountKind.Overlay, target, isReadOnly) { SubPath = node.Stat.IsDirectory ? "/" : "/file" });
            return;
        }

        _mounts.Add(isReadOnly
            ? new(StepMountKind.Bind, target, true) { Source = node.RealPath }
            : new(StepMountKind.Overlay, target, false) { Lower = [context.Session.Request.ContextDirectory], SubPath = node.Path });
    }

    private void Cache(MountOptions mount, string target, string id)
    {
        if (mount.From is not null)
        {
            throw new BuildException(BuildErrorKind.NotSupported, "not supported yet: RUN --mount=type=cache with from");
        }

        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..32];
        var path = System.IO.Path.Combine(context.Session.Store.DataRoot, "cache-mounts", name);
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            var bytes = Bytes.FromText(path);
            Sys.ChownAt(Sys.AT_FDCWD, bytes, mount.Uid ?? 0, mount.Gid ?? 0);
            Sys.ChmodAt(Sys.AT_FDCWD, bytes, mount.Mode ?? 0x1ED);
        }

        // A private cache is one that two steps never see at the same time, which a lock gives as well.
        _locks.AddRange(mount.Sharing == "shared" ? [] : [path]);
        _mounts.Add(new(StepMountKind.Bind, target, mount.ReadOnly ?? false) { Source = path });
    }

    private void Secret(MountOptions mount, string? target, Func<string, string> expand)
    {
        var id = expand(mount.Id ?? System.IO.Path.GetFileName(mount.Source ?? target ?? ""));
        if (id.Length == 0)
        {
            throw new BuildException(BuildErrorKind.InvalidInput, $"--mount={mount.Text} needs an id, a source or a target");
        }

        if (!context.Session.Request.Secrets.TryGetValue(id, out var content))
        {
            if (mount.Required)
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"secret '{id}' is required, but was not given");
            }

            return;
        }

        if (mount.Env is not null)
        {
            throw new BuildException(BuildErrorKind.NotSupported, "not supported yet: RUN --mount=type=secret with env");
        }

        _mounts.Add(new(StepMountKind.File, target ?? $"/run/secrets/{id}", ReadOnly: true)
        {
            Content = content,
            Mode = mount.Mode ?? 0x100,
            Uid = mount.Uid ?? 0,
            Gid = mount.Gid ?? 0,
        });
    }

    private string Absolute(string path) => path.StartsWith('/') ? path : $"{context.State.WorkingDirectory.TrimEnd('/')}/{path}";
}
