using Sampan.Build;
using Sampan.Oci;
using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>Whole builds over a real store, with commands that are played.</summary>
public sealed class BuilderTests : IDisposable
{
    private const string UsualPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private readonly BuildFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Fact]
    public async Task A_build_gives_an_image_with_its_files_and_settings()
    {
        await _f.BaseAsync("base", new() { Env = ["PATH=/bin"], Cmd = ["sh"] }, "bin/sh=S");
        _f.Files("src/a=A", "src/b/c=C");
        var image = await _f.BuildAsync("""
            FROM base
            ENV NAME=x
            WORKDIR /app
            COPY src .
            RUN write /app/out made; print hello
            CMD ["run"]
            """, r => r with { Tags = [ImageReference.Parse("mine"), ImageReference.Parse("mine:2")], Labels = new Dictionary<string, string> { ["l"] = "v" } });
        Assert.Equal(["/app/", "/app/a", "/app/b/", "/app/b/c", "/app/out", "/bin/", "/bin/sh"], _f.Paths(image));
        Assert.Equal("made", _f.Read(image, "/app/out"));
        Assert.Equal(["PATH=/bin", "NAME=x"], image.Config.Config!.Env!);
        Assert.Equal(("/app", "run", "v"), (image.Config.Config.WorkingDir, image.Config.Config.Cmd![0], image.Config.Config.Labels!["l"]));
        Assert.Equal(["base", "ENV NAME=x", "WORKDIR /app", "COPY src .", "RUN /bin/sh -c write /app/out made; print hello", "CMD [\"run\"]"],
            image.Config.History!.Select(h => h.CreatedBy));
        Assert.Equal(4, image.Config.RootFs.DiffIds.Count);
        Assert.Equal(["mine:2", "mine:latest"], image.RepoTags);
        Assert.Equal(_f.Store.Images.Resolve("base").Id, image.Parent);
        Assert.Empty(_f.Temporaries);
        var id = _f.Executor.Steps.Single().Id[..12];
        Assert.Contains($"Step 5/6 : RUN write /app/out made; print hello\n ---> Running in {id}\nhello\n ---> Removed intermediate container {id}\n ---> ", _f.Text, StringComparison.Ordinal);
        Assert.EndsWith($"Successfully built {image.Id.Short}\nSuccessfully tagged mine:latest\nSuccessfully tagged mine:2\n", _f.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_second_build_of_unchanged_input_runs_nothing_and_gives_the_same_image()
    {
        await _f.BaseAsync("base");
        _f.Files("a=A");
        const string dockerfile = "FROM base\nARG V=1\nCOPY a /a\nRUN write /b B\nWORKDIR /w\nENV X=$V";
        var first = await _f.BuildAsync(dockerfile);
        File.SetLastWriteTimeUtc(Path.Combine(_f.Context, "a"), DateTime.UtcNow.AddYears(1));
        var second = await _f.BuildAsync(dockerfile);
        Assert.Equal(first.Id, second.Id);
        Assert.Single(_f.Executor.Steps);
        Assert.Empty(_f.Reasons);
        Assert.Equal(5, _f.Text.Split(" ---> Using cache\n").Length - 1);
        await _f.BuildAsync(dockerfile, r => r with { NoCache = true });
        Assert.Equal(2, _f.Executor.Steps.Count);
    }

    [Fact]
    public async Task A_miss_says_what_changed()
    {
        await _f.BaseAsync("base");
        _f.Files("src/main.c=1", "src/other.c=2");
        const string dockerfile = "FROM base\nCOPY src /src\nARG VERSION\nENV E=1\nRUN write /o 1";
        await _f.BuildAsync(dockerfile, Version("1.2"));
        _f.Files("src/main.c=changed");
        await _f.BuildAsync(dockerfile, Version("1.2"));
        var reasons = _f.Reasons.ToList();
        Assert.StartsWith("COPY src /src: src/main.c changed (sha256:", reasons[0], StringComparison.Ordinal);
        Assert.Contains(reasons, r => r == "RUN write /o 1: its parent changed at line 2");
        await _f.BuildAsync(dockerfile, Version("1.3"));
        Assert.Contains("RUN write /o 1: ARG VERSION 1.2 → 1.3", _f.Reasons);
        await _f.BuildAsync(dockerfile.Replace("E=1", "E=2"), Version("1.3"));
        Assert.Contains("RUN write /o 1: ENV E 1 → 2", _f.Reasons);
        Assert.Equal(4, _f.Executor.Steps.Count);

        static Func<BuildRequest, BuildRequest> Version(string version) => r => r with { BuildArgs = new Dictionary<string, string?> { ["VERSION"] = version } };
    }

    [Fact]
    public async Task Proxies_reach_RUN_but_not_the_cache_or_the_history()
    {
        await _f.BaseAsync("base");
        Func<BuildRequest, BuildRequest> Proxy(string value) => r => r with { BuildArgs = new Dictionary<string, string?> { ["HTTP_PROXY"] = value } };
        var image = await _f.BuildAsync("FROM base\nRUN env HTTP_PROXY", Proxy("http://u:p@x"));
        Assert.Contains("HTTP_PROXY=http://u:p@x\n", _f.Text, StringComparison.Ordinal);
        Assert.Equal(image.Id, (await _f.BuildAsync("FROM base\nRUN env HTTP_PROXY", Proxy("other"))).Id);
        Assert.DoesNotContain("u:p", image.Config.History![^1].CreatedBy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stages_give_files_arguments_and_settings_to_each_other()
    {
        await _f.BaseAsync("base");
        var image = await _f.BuildAsync("""
            FROM base AS build
            ARG A=1
            ENV E=2
            USER web
            RUN write /out/x X
            FROM scratch AS never
            RUN exit 1
            FROM build AS child
            ENV F=$A$E
            FROM scratch
            COPY --from=child --chown=5:6 /out /o
            COPY --from=base /etc/passwd /p
            """);
        Assert.Equal(["/o/", "/o/x", "/p"], _f.Paths(image));
        Assert.StartsWith("644 5:6", _f.About(image, "/o/x"), StringComparison.Ordinal);
        Assert.Equal("web", _f.Executor.Steps.Single().User);
        Assert.Equal([UsualPath], image.Config.Config!.Env!);
        Assert.Equal([UsualPath, "E=2", "F=12"], (await _f.BuildAsync("FROM base AS b\nARG A=1\nENV E=2\nFROM b\nENV F=$A$E")).Config.Config!.Env!);
    }

    [Fact]
    public async Task Independent_stages_run_at_the_same_time()
    {
        await _f.BaseAsync("base");
        var image = await _f.BuildAsync("FROM base AS a\nRUN meet; write /a A\nFROM base AS b\nRUN meet; write /b B\nFROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /");
        Assert.Equal(["/a", "/b"], _f.Paths(image));
    }

    [Fact]
    public async Task Triggers_of_a_base_run_right_after_FROM_and_only_once()
    {
        _f.Files("f=F");
        await _f.BaseAsync("parent", new() { OnBuild = ["COPY f /triggered", "ENV T=1"] });
        var image = await _f.BuildAsync("FROM parent\nENV U=$T");
        Assert.Equal("F", _f.Read(image, "/triggered"));
        Assert.Equal([UsualPath, "T=1", "U=1"], image.Config.Config!.Env!);
        Assert.Null(image.Config.Config.OnBuild);
        Assert.Contains("# Executing 2 build triggers\n", _f.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WORKDIR_is_made_with_its_owner_and_is_relative_to_the_last()
    {
        await _f.BaseAsync("base", null, "there/", "link->/there");
        var image = await _f.BuildAsync("FROM base\nWORKDIR /a\nWORKDIR b\nUSER web\nWORKDIR c\nWORKDIR /link\nWORKDIR sub/../x");
        Assert.Equal("/link/x", image.Config.Config!.WorkingDir);
        Assert.Equal(["/a/", "/a/b/", "/a/b/c/", "/link", "/there/", "/there/x/"], _f.Paths(image));
        Assert.StartsWith("755 33:44", _f.About(image, "/a/b/c"), StringComparison.Ordinal);
        Assert.StartsWith("755 0:0", _f.About(image, "/a/b"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Heredocs_become_files_and_scripts()
    {
        await _f.BaseAsync("base");
        var image = await _f.BuildAsync("FROM base\nENV V=v\nCOPY <<a <<'b' /d/\nit's \"$V\" \\$V\na\n$V\nb\nRUN <<EOF\nwrite /r R\nEOF\nRUN <<X\n#!/usr/bin/env play\nX\nRUN cat <<Y && z\nbody\nY\n");
        Assert.Equal("it's \"v\" $V\n", _f.Read(image, "/d/a"));
        Assert.Equal("$V\n", _f.Read(image, "/d/b"));
        Assert.Equal("R", _f.Read(image, "/r"));
        var steps = _f.Executor.Steps.ToList();
        Assert.Equal(["/dev/pipes/X"], steps[1].Args);
        Assert.Equal("#!/usr/bin/env play\n", System.Text.Encoding.UTF8.GetString(steps[1].Mounts.Single().Content.Span));
        Assert.Equal("cat <<Y && z\nbody\nY", steps[2].Args[^1]);
    }

    [Fact]
    public async Task Mounts_are_planned_and_their_content_counts()
    {
        await _f.BaseAsync("base");
        _f.Files("lib/x=1");
        const string dockerfile = """
            FROM base AS tools
            FROM base
            RUN --mount=target=/l,source=lib --mount=type=cache,target=/c,sharing=locked --mount=type=tmpfs,target=/t --mount=type=secret,id=s --mount=from=tools,target=/tools print x
            """;
        Func<BuildRequest, BuildRequest> secret = r => r with { Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { ["s"] = "geheim"u8.ToArray() } };
        await _f.BuildAsync(dockerfile, secret);
        var mounts = _f.Executor.Steps.Single().Mounts;
        Assert.Equal([(StepMountKind.Bind, "/l", true), (StepMountKind.Bind, "/c", false), (StepMountKind.Tmpfs, "/t", false), (StepMountKind.File, "/run/secrets/s", true),
            (StepMountKind.Overlay, "/tools", true)], mounts.Select(m => (m.Kind, m.Target, m.ReadOnly)));
        await _f.BuildAsync(dockerfile);
        Assert.Single(_f.Executor.Steps);
        _f.Files("lib/x=2");
        await _f.BuildAsync(dockerfile, secret);
        Assert.Equal(2, _f.Executor.Steps.Count);
    }

    [Fact]
    public async Task Mount_points_that_the_runtime_makes_leave_no_trace()
    {
        await _f.BaseAsync("base");
        var image = await _f.BuildAsync(
            "FROM base\nRUN --mount=type=cache,target=/c/d --mount=type=tmpfs,target=/kept mkdir /proc; mkdir /c/d; touch /etc/hosts; touch /kept/file; mkdir /mine");
        var layer = _f.Store.Layers.LowerDirs(image.ChainId!.Value)[0];
        Assert.Equal(["/kept/ 755 0:0", "/kept/file 644 0:0 ", "/mine/ 755 0:0"], Scratch.List(layer));

        // A symlink that the command leaves must not lead the builder's cleaning into the host.
        _f.Files("host/hosts=", "host/etc/");
        await _f.BuildAsync($"FROM scratch\nRUN link /etc {Path.Combine(_f.Context, "host")}");
        Assert.True(File.Exists(Path.Combine(_f.Context, "host/hosts")));
    }

    [Fact]
    public async Task An_image_is_dated_by_its_input()
    {
        await _f.BaseAsync("base");
        _f.Files("a=A");
        File.SetLastWriteTimeUtc(Path.Combine(_f.Context, "a"), DateTime.UnixEpoch.AddSeconds(5000));
        var image = await _f.BuildAsync("FROM base\nRUN write /before x\nCOPY a /d/a\nRUN write /after x");
        Assert.Equal(2000, image.Config.Created!.Value.ToUnixTimeSeconds());
        Assert.EndsWith(" 2000", _f.About(image, "/before"), StringComparison.Ordinal);
        Assert.EndsWith(" 2000", _f.About(image, "/d/a"), StringComparison.Ordinal);
        Assert.EndsWith(" 2000", _f.About(image, "/d"), StringComparison.Ordinal);
        var dated = await _f.BuildAsync("FROM base\nCOPY a /d/a", r => r with { BuildArgs = new Dictionary<string, string?> { ["SOURCE_DATE_EPOCH"] = "3000" } });
        Assert.Equal(3000, dated.Config.Created!.Value.ToUnixTimeSeconds());
        Assert.EndsWith(" 3000", _f.About(dated, "/d/a"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADD_unpacks_archives_and_copies_everything_else()
    {
        await _f.BaseAsync("base", null, "opt/kept=K");
        _f.Files("in/tree/x=X", "in/tree/link->x", "in/kept=new", "plain.gz=no archive");
        Sampan.Linux.Sys.ChownAt(Sampan.Linux.Sys.AT_FDCWD, System.Text.Encoding.UTF8.GetBytes(Path.Combine(_f.Context, "in/tree/x")), 12, 34);
        await using (var tar = File.Create(Path.Combine(_f.Context, "a.tar")))
        {
            await TarTree.WriteAsync(Path.Combine(_f.Context, "in"), "/", tar, new() { Rename = "" });
        }

        await using (var zipped = new System.IO.Compression.GZipStream(File.Create(Path.Combine(_f.Context, "b.tgz")), System.IO.Compression.CompressionLevel.Fastest))
        {
            await zipped.WriteAsync(await File.ReadAllBytesAsync(Path.Combine(_f.Context, "a.tar")));
        }

        var image = await _f.BuildAsync("FROM base\nADD a.tar /opt\nADD b.tgz /z/\nADD --chown=7 a.tar /own/\nADD --unpack=false a.tar /raw/\nADD plain.gz /p/\nCOPY a.tar /c/");
        Assert.Equal(["/c/", "/c/a.tar", "/opt/", "/opt/kept", "/opt/tree/", "/opt/tree/link", "/opt/tree/x", "/own/", "/own/kept", "/own/tree/", "/own/tree/link",
            "/own/tree/x", "/p/", "/p/plain.gz", "/raw/", "/raw/a.tar", "/z/", "/z/kept", "/z/tree/", "/z/tree/link", "/z/tree/x"], _f.Paths(image));
        Assert.Equal("new", _f.Read(image, "/opt/kept"));
        Assert.StartsWith("644 12:34", _f.About(image, "/z/tree/x"), StringComparison.Ordinal);
        Assert.StartsWith("644 7:7", _f.About(image, "/own/tree/x"), StringComparison.Ordinal);
        Assert.Empty(_f.Temporaries);
    }

    [Fact]
    public async Task A_damaged_archive_is_an_error_and_so_is_a_damaged_context()
    {
        await _f.BaseAsync("base");
        _f.Files("in/x=X");
        using var tar = new MemoryStream();
        await TarTree.WriteAsync(Path.Combine(_f.Context, "in"), "/", tar, new() { Rename = "" });
        await File.WriteAllBytesAsync(Path.Combine(_f.Context, "cut.tar"), tar.ToArray()[..^1100]);
        var error = await Assert.ThrowsAsync<BuildException>(() => _f.BuildAsync("FROM base\nADD cut.tar /"));
        Assert.StartsWith("Dockerfile:2: ADD failed: ", error.LocatedMessage, StringComparison.Ordinal);
        await Assert.ThrowsAsync<TarException>(() => Sampan.Build.Context.ContextUnpacker.UnpackAsync(
            _f.Store, new MemoryStream(tar.ToArray()[..^1100]), null, default));
        Assert.Empty(_f.Temporaries);
        using (var context = await Sampan.Build.Context.ContextUnpacker.UnpackAsync(_f.Store, new MemoryStream(tar.ToArray()), null, default))
        {
            Assert.Equal("X", await File.ReadAllTextAsync(Path.Combine(context.Path, "x")));
        }

        Assert.Empty(_f.Temporaries);
    }

    [Fact]
    public async Task Names_that_are_not_UTF8_and_hard_links_come_through_COPY()
    {
        await _f.BaseAsync("base");
        _f.Files("d/one=1");
        var odd = System.Text.Encoding.UTF8.GetBytes(Path.Combine(_f.Context, "d/odd")).Append((byte)0xFF).ToArray();
        Assert.Equal(0, Sampan.Linux.Sys.TryLinkAt(Sampan.Linux.Sys.AT_FDCWD, System.Text.Encoding.UTF8.GetBytes(Path.Combine(_f.Context, "d/one")), Sampan.Linux.Sys.AT_FDCWD, odd));
        var image = await _f.BuildAsync("FROM base\nCOPY d /d");
        Assert.Equal(["/d/", "/d/odd\udcff", "/d/one"], _f.Paths(image));
        var diff = _f.Store.Layers.LowerDirs(image.ChainId!.Value)[0];
        Assert.Equal(2u, Sampan.Linux.Sys.StatAt(diff + "/d/one").Links);
        Sampan.Linux.Sys.TryUnlinkAt(Sampan.Linux.Sys.AT_FDCWD, odd);
        Sampan.Linux.Sys.TryUnlinkAt(Sampan.Linux.Sys.AT_FDCWD, Sampan.Linux.Bytes.FromText(diff + "/d/odd\udcff"));
    }
}
