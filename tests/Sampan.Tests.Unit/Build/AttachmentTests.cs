using System.Text;
using Sampan.Build;
using Sampan.Build.Progress;
using Sampan.Build.Sources;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>What a build gets beside its context: named contexts, secrets, agents; and the one layer that squashing leaves.</summary>
public sealed class AttachmentTests : IDisposable
{
    private readonly BuildFixture _f = new();
    private readonly Scratch _other = new();

    public void Dispose()
    {
        _f.Dispose();
        _other.Dispose();
    }

    private Func<BuildRequest, BuildRequest> With(string name, NamedContext context) =>
        r => r with { NamedContexts = new Dictionary<string, NamedContext> { [name] = context } };

    private NamedContext Other(params string[] files) => new() { Directory = _other.Tree("other", files) };

    [Fact]
    public async Task A_named_directory_serves_copies_and_mounts_without_what_its_ignore_file_leaves_out()
    {
        await _f.BaseAsync("base");
        const string dockerfile = "FROM base\nCOPY --from=lib . /lib/\nRUN --mount=from=lib,target=/m,source=a print x\n";
        var other = Other("a=1", "log=2", ".dockerignore=log\n");
        var image = await _f.BuildAsync(dockerfile, With("lib", other));
        Assert.Equal(["/lib/", "/lib/.dockerignore", "/lib/a"], _f.Paths(image));
        Assert.Equal("/m", _f.Executor.Steps.Single().Mounts.Single().Target);

        // What it holds counts, whoever owns the name.
        await _f.BuildAsync(dockerfile, With("lib", other));
        Assert.Single(_f.Executor.Steps);
        Other("a=changed");
        Assert.Equal("changed", _f.Read(await _f.BuildAsync(dockerfile, With("lib", other)), "/lib/a"));
        Assert.Equal(2, _f.Executor.Steps.Count);
        Assert.Contains(_f.Reasons, reason => reason.Contains("/a changed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("FROM base:1\nCOPY --from=tool /x /y", "tool")]
    [InlineData("FROM docker.io/library/lib AS tool\nFROM base:1\nCOPY --from=tool /x /y", "lib:latest")]
    [InlineData("FROM base:1 AS tool\nRUN exit 1\nFROM base:1\nCOPY --from=tool /x /y", "Tool")]
    public async Task A_name_comes_before_stages_and_images(string dockerfile, string name)
    {
        await _f.BaseAsync("base:1");
        await _f.BaseAsync("real:2", null, "x=image");
        var fromImage = await _f.BuildAsync(dockerfile, With(name, new() { Image = "real:2" }));
        Assert.Equal("image", _f.Read(fromImage, "/y"));
        var fromDirectory = await _f.BuildAsync(dockerfile, With(name, Other("x=directory")));
        Assert.Equal("directory", _f.Read(fromDirectory, "/y"));
    }

    [Fact]
    public async Task A_directory_may_be_the_base()
    {
        var image = await _f.BuildAsync("FROM rootfs\nCOPY --from=rootfs a b\n", With("rootfs", Other("a=1", "d/e=2")));
        Assert.Equal(["/a", "/b", "/d/", "/d/e"], _f.Paths(image));
        Assert.Equal(2, image.Config.RootFs.DiffIds.Count);
        Assert.Equal(image.Id, (await _f.BuildAsync("FROM rootfs\nCOPY --from=rootfs a b\n", With("rootfs", Other()))).Id);
        Assert.All(_f.Events.OfType<StepLookedUp>(), e => Assert.True(e.Cache.IsHit));
    }

    [Fact]
    public async Task A_cache_begins_with_the_files_it_is_made_from()
    {
        await _f.BaseAsync("base");
        const string dockerfile = "FROM base\nRUN --mount=type=cache,target=/c,from=lib,source=d,uid=7,mode=0700 print x\n";
        await _f.BuildAsync(dockerfile, With("lib", Other("d/seed=1", "else=2")));
        var cache = _f.Executor.Steps.Single().Mounts.Single().Source!;
        Assert.Equal(["seed"], Directory.GetFileSystemEntries(cache).Select(Path.GetFileName));
        Assert.Equal("700 7:0", BuildFixture.OwnerOf(cache));

        // What steps add stays; other files make another cache.
        File.WriteAllText(Path.Combine(cache, "added"), "");
        await _f.BuildAsync(dockerfile, r => With("lib", Other())(r) with { NoCache = true });
        Assert.Equal(cache, _f.Executor.Steps.Last().Mounts.Single().Source);
        await _f.BuildAsync(dockerfile, r => With("lib", Other("d/seed=2"))(r) with { NoCache = true });
        Assert.NotEqual(cache, _f.Executor.Steps.Last().Mounts.Single().Source);
        Assert.Empty(_f.Temporaries);
    }

    [Fact]
    public async Task A_secret_goes_to_a_file_or_a_variable_of_one_command_and_nowhere_else()
    {
        await _f.BaseAsync("base");
        const string secret = "geheim-4711";
        Func<BuildRequest, BuildRequest> with = r => r with { Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { ["s"] = Encoding.UTF8.GetBytes(secret) } };
        var image = await _f.BuildAsync("""
            FROM base
            RUN --mount=type=secret,id=s,env=TOKEN env TOKEN
            RUN --mount=type=secret,id=s,target=/t,env=BOTH,mode=0440,uid=3,gid=4 env BOTH
            RUN --mount=type=secret,id=absent env TOKEN
            """, with);
        var steps = _f.Executor.Steps.ToArray();
        Assert.Empty(steps[0].Mounts);
        Assert.Contains($"TOKEN={secret}", steps[0].Env);
        var mount = steps[1].Mounts.Single();
        Assert.Equal(("/t", 0x120u, 3u, 4u), (mount.Target, mount.Mode, mount.Uid, mount.Gid));
        Assert.Contains($"BOTH={secret}", steps[1].Env);
        Assert.DoesNotContain(steps[2].Env, entry => entry.Contains(secret, StringComparison.Ordinal));
        Assert.DoesNotContain(secret, Encoding.UTF8.GetString(image.ConfigJson.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_is_mounted_where_it_was_given_and_skipped_where_not()
    {
        await _f.BaseAsync("base");
        await _f.BuildAsync(
            "FROM base\nRUN --mount=type=ssh --mount=type=ssh,id=k,target=/k,uid=5 print 1\nRUN --mount=type=ssh,id=absent print 2\n",
            r => r with { SshAgents = new Dictionary<string, string> { ["default"] = "/agent", ["k"] = "/other" } });
        var steps = _f.Executor.Steps.ToArray();
        Assert.Equal([("/run/buildkit/ssh_agent.0", "/agent", 0u), ("/k", "/other", 5u)], steps[0].Mounts.Select(m => (m.Target, m.Source!, m.Uid)));
        Assert.All(steps[0].Mounts, m => Assert.Equal((StepMountKind.Agent, 0x180u), (m.Kind, m.Mode)));
        Assert.Contains("SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0", steps[0].Env);
        Assert.Empty(steps[1].Mounts);
        Assert.DoesNotContain(steps[1].Env, entry => entry.StartsWith("SSH_AUTH_SOCK", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Squashing_leaves_one_layer_with_the_same_files()
    {
        await _f.BaseAsync("base", null, "kept=1", "gone=1", "dir/below=1", "replaced/below=1");
        _f.Files("new=2", "dir/added=2");
        const string dockerfile = "FROM base\nCOPY new /a\nCOPY new /b\nRUN write /c 1\nRUN write /c 2; mkdir /d\nCOPY dir /dir\nENV X=y\n";
        var plain = await _f.BuildAsync(dockerfile);
        var squashed = await _f.BuildAsync(dockerfile, r => r with { Squash = true });
        Assert.Equal(_f.Paths(plain), _f.Paths(squashed));
        Assert.Equal("2", _f.Read(squashed, "/c"));
        foreach (var path in _f.Paths(plain)) Assert.Equal(_f.About(plain, path.TrimEnd('/')), _f.About(squashed, path.TrimEnd('/')));
        Assert.Equal(2, squashed.Config.RootFs.DiffIds.Count);
        Assert.Equal(plain.Config.RootFs.DiffIds[0], squashed.Config.RootFs.DiffIds[0]);
        Assert.Equal(2, squashed.Config.History!.Count(entry => entry.EmptyLayer is not true));
        Assert.Contains("X=y", squashed.Config.Config!.Env!);
        Assert.Equal(squashed.Id, (await _f.BuildAsync(dockerfile, r => r with { Squash = true })).Id);
        Assert.Empty(_f.Temporaries);
    }
}
