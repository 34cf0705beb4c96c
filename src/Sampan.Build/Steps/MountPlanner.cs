using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Sampan.Build.Files;
using Sampan.Dockerfile.Ignore;
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

    /// <summary>What the command alone sees in its environment: values of secrets, and where the agent is. No part of a key.</summary>
    public IReadOnlyList<string> Env { get; init; } = [];

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
    private readonly List<string> _env = [];
    private readonly Dictionary<int, Transfer> _live = [];
    private int _agents;

    /// <exception cref="BuildException">A source or a required secret is missing, or a required agent.</exception>
    public async Task<PlannedMounts> PlanAsync(CancellationToken cancel)
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
                    Cache(mount, target!, mount.Id is null ? target! : expand(mount.Id), mount.Source is null ? "/" : expand(mount.Source), cancel);
                    break;
                case "tmpfs":
                    _mounts.Add(new(StepMountKind.Tmpfs, target!, ReadOnly: false) { SizeBytes = mount.SizeBytes });
                    break;
                case "secret":
                    await SecretAsync(mount, target, expand, cancel);
                    break;
                default:
                    await AgentAsync(mount, target, expand, cancel);
                    break;
            }
        }

        return new(_mounts, _parts, _locks) { Live = _live, Env = _env };
    }

    private void Bind(MountOptions mount, string target, string source, CancellationToken cancel)
    {
        var isReadOnly = mount.ReadOnly ?? true;
        var from = mount.From is null ? null : context.Sources[mount.From];
        var files = from is null ? context.Session.Files : from.Files;
        var node = Find(mount, files?.View ?? new MergedView(from!.Layers), source);
        if (files is null)
        {
            _parts.Add(new($"mount {_parts.Count}", from!.Chain?.ToString() ?? "scratch"));
            _mounts.Add(new(StepMountKind.Overlay, target, isReadOnly) { Lower = from.Layers, SubPath = node.Path });
            return;
        }

        var transfer = files.Plan("RUN --mount", source, node.Stat.IsDirectory ? "/" : "/file");
        _parts.AddRange(transfer.KeyParts(cancel));
        if (files.IsLive)
        {
            _live[_mounts.Count] = transfer;
            _mounts.Add(new(isReadOnly ? StepMountKind.Bind : StepMountKind.Overlay, target, isReadOnly) { SubPath = node.Stat.IsDirectory ? "/" : "/file" });
            return;
        }

        _mounts.Add(isReadOnly
            ? new(StepMountKind.Bind, target, true) { Source = node.RealPath }
            : new(StepMountKind.Overlay, target, false) { Lower = [files.Directory], SubPath = node.Path });
    }

    /// <summary>A directory that outlives the build; one that begins with files of somewhere else is another one for other files.</summary>
    private void Cache(MountOptions mount, string target, string id, string source, CancellationToken cancel)
    {
        Transfer? first = null;
        if (mount.From is not null)
        {
            first = FirstFiles(mount, source);
            id = string.Join('\n', [id, .. first.KeyParts(cancel).Select(part => $"{part.Name} {part.Value}")]);
        }

        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..32];
        var path = System.IO.Path.Combine(context.Session.Store.DataRoot, "cache-mounts", name);
        if (!Directory.Exists(path))
        {
            MakeCache(mount, path, first, cancel);
        }

        // A private cache is one that two steps never see at the same time, which a lock gives as well.
        _locks.AddRange(mount.Sharing == "shared" ? [] : [path]);
        _mounts.Add(new(StepMountKind.Bind, target, mount.ReadOnly ?? false) { Source = path });
    }

    private void MakeCache(MountOptions mount, string path, Transfer? first, CancellationToken cancel)
    {
        using var work = TempDirectory.Create(context.Session.Store.DataRoot, "cache");
        var made = work.Make("cache", mount.Mode ?? 0x1ED, mount.Uid ?? 0, mount.Gid ?? 0);
        if (first is not null)
        {
            first.Write(made, new MergedView([]), context.State.TimeSeconds, cancel);
            var bytes = Bytes.FromText(made);
            Sys.ChownAt(Sys.AT_FDCWD, bytes, mount.Uid ?? 0, mount.Gid ?? 0);
            Sys.ChmodAt(Sys.AT_FDCWD, bytes, mount.Mode ?? 0x1ED);
        }

        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        try
        {
            Directory.Move(made, path);
        }
        catch (IOException) when (Directory.Exists(path))
        {
            // Another step has just made it.
        }
    }

    private Transfer FirstFiles(MountOptions mount, string source)
    {
        var from = context.Sources[mount.From!];
        var files = from.Files ?? new(new MergedView(from.Layers) { Digests = context.Session.Context.View.Digests }, IgnoreMatcher.None, "", IsLive: false);
        return Find(mount, files.View, source).Stat.IsDirectory ? files.Plan("RUN --mount", source, "/")
            : throw new BuildException(BuildErrorKind.InvalidInput, $"the source '{source}' of --mount={mount.Text} is not a directory");
    }

    private static MergedNode Find(MountOptions mount, MergedView view, string source) => view.Resolve(source).Node ?? throw new BuildException(
        BuildErrorKind.InvalidInput, $"failed to find the source '{source}' of --mount={mount.Text}");

    private async Task SecretAsync(MountOptions mount, string? target, Func<string, string> expand, CancellationToken cancel)
    {
        var id = expand(mount.Id ?? System.IO.Path.GetFileName(mount.Source ?? target ?? ""));
        if (id.Length == 0)
        {
            throw new BuildException(BuildErrorKind.InvalidInput, $"--mount={mount.Text} needs an id, a source or a target");
        }

        if (await context.Session.Request.SecretAsync(id, cancel) is not { } content)
        {
            if (mount.Required)
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"secret '{id}' is required, but was not given");
            }

            return;
        }

        if (mount.Env is not null)
        {
            _env.Add($"{mount.Env}={Encoding.UTF8.GetString(content.Span)}");
            if (target is null)
            {
                return;
            }
        }

        _mounts.Add(new(StepMountKind.File, target ?? $"/run/secrets/{id}", ReadOnly: true)
        {
            Content = content,
            Mode = mount.Mode ?? 0x100,
            Uid = mount.Uid ?? 0,
            Gid = mount.Gid ?? 0,
        });
    }

    private async Task AgentAsync(MountOptions mount, string? target, Func<string, string> expand, CancellationToken cancel)
    {
        var id = mount.Id is null ? "default" : expand(mount.Id);
        if (await context.Session.Request.AgentAsync(id, cancel) is not { } agent)
        {
            if (mount.Required)
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"ssh agent '{id}' is required, but was not given (--ssh {id})");
            }

            return;
        }

        target ??= $"/run/buildkit/ssh_agent.{_agents}";
        if (_agents++ == 0)
        {
            _env.Add($"SSH_AUTH_SOCK={target}");
        }

        _mounts.Add(new(StepMountKind.Agent, target, ReadOnly: true)
        {
            Source = agent,
            Mode = mount.Mode ?? 0x180,
            Uid = mount.Uid ?? 0,
            Gid = mount.Gid ?? 0,
        });
    }

    private string Absolute(string path) => path.StartsWith('/') ? path : $"{context.State.WorkingDirectory.TrimEnd('/')}/{path}";
}
