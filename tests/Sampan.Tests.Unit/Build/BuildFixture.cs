using System.Text;
using Sampan.Build;
using Sampan.Build.Files;
using Sampan.Build.Progress;
using Sampan.Oci;
using Sampan.Store;

namespace Sampan.Tests.Unit.Build;

/// <summary>A real store in a directory of its own, a context, and a builder whose commands are played.</summary>
internal sealed class BuildFixture : IDisposable
{
    private readonly Scratch _scratch = new();

    public BuildFixture()
    {
        Store = Sampan.Store.Store.Open(Path.Combine(_scratch.Path, "data"));
        Context = _scratch.Tree("context");
        Builder = new(Store, Executor);
    }

    public Sampan.Store.Store Store { get; }

    public FakeExecutor Executor { get; } = new();

    public Builder Builder { get; }

    public string Context { get; }

    public List<BuildEvent> Events { get; private set; } = [];

    /// <summary>What the last build that succeeded gave.</summary>
    public BuildResult? Result { get; private set; }

    /// <summary>What Docker's classic builder would have shown.</summary>
    public string Text { get; private set; } = "";

    public IEnumerable<string> Reasons => Events.OfType<StepLookedUp>().Where(e => !e.Cache.IsHit)
        .Select(e => $"{e.Step.Text}: {string.Join(", ", e.Cache.Reasons)}");

    public string[] Temporaries => Directory.Exists(Path.Combine(Store.DataRoot, "tmp"))
        ? Directory.GetFileSystemEntries(Path.Combine(Store.DataRoot, "tmp")) : [];

    public void Files(params string[] entries) => _scratch.Tree("context", entries);

    /// <summary>Makes a base image of one layer.</summary>
    public async Task<ImageRecord> BaseAsync(string name, ImageRuntimeConfig? config = null, params string[] entries)
    {
        using var lease = Store.Lease();
        var upper = _scratch.Tree($"base-{Guid.NewGuid():n}", ["etc/passwd=web:x:33:44:::\n", .. entries]);
        var layer = await Store.Layers.CommitAsync(upper, null, new() { Move = false, TimestampClamp = 1000 }, default);
        var image = Store.Images.Put(new ImageConfig
        {
            Architecture = Platform.Current.Architecture,
            Os = "linux",
            Created = DateTimeOffset.FromUnixTimeSeconds(2000),
            Config = config ?? new(),
            RootFs = new() { DiffIds = [layer.DiffId] },
            History = [new() { CreatedBy = "base" }],
        });
        Store.Images.Tag(image.Id, ImageReference.Parse(name));
        return image;
    }

    public async Task<ImageRecord> BuildAsync(string dockerfile, Func<BuildRequest, BuildRequest>? change = null, CancellationToken cancel = default)
    {
        Events = [];
        var text = new StringBuilder();
        var classic = new ClassicProgress(data => text.Append(Encoding.UTF8.GetString(data.Span)));
        var request = new BuildRequest { ContextDirectory = Context, Dockerfile = Encoding.UTF8.GetBytes(dockerfile) };
        try
        {
            var result = await Builder.BuildAsync(change is null ? request : change(request), new Both(this, classic), cancel);
            Result = result;
            return Store.Images.Get(result.ImageId)!;
        }
        finally
        {
            Text = text.ToString();
        }
    }

    /// <summary>All paths of an image as a container would see them, directories with a slash.</summary>
    public string[] Paths(ImageRecord image)
    {
        var view = View(image);
        return view.Root is null ? [] : [.. Walk(view.Root).Where(p => !p.StartsWith("/etc/", StringComparison.Ordinal))];
    }

    public string Read(ImageRecord image, string path) => Encoding.UTF8.GetString(MergedView.ReadFile(View(image).Resolve(path).Node!, 1 << 20));

    public string About(ImageRecord image, string path)
    {
        var stat = View(image).Resolve(path, followLast: false).Node!.Stat;
        return $"{Convert.ToString(stat.Permissions, 8)} {stat.Uid}:{stat.Gid} {stat.Modified.Seconds}";
    }

    public void Dispose()
    {
        Store.Dispose();
        _scratch.Dispose();
    }

    private MergedView View(ImageRecord image) => new(image.ChainId is { } chain ? Store.Layers.LowerDirs(chain) : []);

    private static IEnumerable<string> Walk(MergedNode directory) => MergedView.List(directory).SelectMany(
        child => child.Stat.IsDirectory ? Walk(child).Prepend(child.Path + "/") : [child.Path]);

    private sealed class Both(BuildFixture fixture, ClassicProgress classic) : IBuildProgress
    {
        public void Report(BuildEvent what)
        {
            fixture.Events.Add(what is StepOutput output ? output with { Data = output.Data.ToArray() } : what);
            classic.Report(what);
        }
    }
}
