using Sampan.Build;
using Sampan.Linux;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>One input changes at a time, and the build says exactly that one.</summary>
public sealed class ExplainTests : IDisposable
{
    private const string Dockerfile = """
        FROM base
        ARG VERSION=1.2
        ENV MODE=fast
        COPY src /app
        COPY --chown=1:2 one /one
        RUN --mount=type=bind,source=tools,target=/tools write /o 1
        RUN write /last 2
        """;

    private readonly BuildFixture _f = new();

    public void Dispose() => _f.Dispose();

    [Fact]
    public async Task Nothing_changed()
    {
        await FirstAsync();
        await _f.BuildAsync(Dockerfile);
        Assert.Empty(_f.Reasons);
        Assert.Equal([true, true, true, true, true, true, true], _f.Store.BuildRecords.Get("")!.Steps.Select(s => s.IsCached));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], _f.Store.BuildRecords.Get("")!.Steps.Select(s => s.Line));
    }

    [Fact]
    public async Task A_first_build_was_not_built_before()
    {
        await FirstAsync();
        Assert.All(_f.Reasons, r => Assert.EndsWith(": it was not built before", r, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Content_of_a_file()
    {
        await FirstAsync();
        _f.Files("src/main.c=changed");
        await _f.BuildAsync(Dockerfile);
        Assert.Equal(
            [
                "COPY src /app: src/main.c changed (sha256:6b86b273ff34 to sha256:d67e2e944994)",
                "COPY --chown=1:2 one /one: its parent changed at line 4",
                "RUN --mount=type=bind,source=tools,target=/tools write /o 1: its parent changed at line 4",
                "RUN write /last 2: its parent changed at line 4",
            ], _f.Reasons);
    }

    [Fact]
    public async Task Mode_of_a_file()
    {
        await FirstAsync();
        Sys.ChmodAt(Sys.AT_FDCWD, Bytes.FromText(Path.Combine(_f.Context, "src/main.c")), 0x1ED);
        await _f.BuildAsync(Dockerfile);
        Assert.Equal("COPY src /app: the mode of src/main.c changed (644 to 755)", _f.Reasons.First());
    }

    [Fact]
    public async Task Name_of_a_file()
    {
        await FirstAsync();
        File.Move(Path.Combine(_f.Context, "src/main.c"), Path.Combine(_f.Context, "src/other.c"));
        await _f.BuildAsync(Dockerfile);
        Assert.Equal("COPY src /app: src/other.c is new, src/main.c is gone", _f.Reasons.First());
    }

    [Fact]
    public async Task Target_of_a_symlink()
    {
        await FirstAsync();
        _f.Files("src/link->z");
        await _f.BuildAsync(Dockerfile);
        Assert.Equal("COPY src /app: src/link changed (symlink main.c to symlink z)", _f.Reasons.First());
    }

    [Fact]
    public async Task Owner_in_the_instruction()
    {
        await FirstAsync();
        await _f.BuildAsync(Dockerfile.Replace("--chown=1:2", "--chown=1:3"));
        Assert.Equal("COPY --chown=1:3 one /one: the instruction changed ('COPY --chown=1:2 one /one' to 'COPY --chown=1:3 one /one')", _f.Reasons.First());
    }

    [Fact]
    public async Task Owner_by_a_variable()
    {
        await _f.BaseAsync("base");
        _f.Files("one=1");
        const string dockerfile = "FROM base\nARG O\nCOPY --chown=$O one /one";
        await _f.BuildAsync(dockerfile, Arg("O", "1:2"));
        await _f.BuildAsync(dockerfile, Arg("O", "1:3"));
        Assert.Equal(
            [
                "ARG O: ARG O 1:2 → 1:3",
                "COPY --chown=$O one /one: the instruction became 'COPY --chown=1:3 one /one' ('COPY --chown=1:2 one /one' before), "
                    + "the owner of one changed (1:2 to 1:3)",
            ], _f.Reasons);
    }

    [Fact]
    public async Task Argument()
    {
        await FirstAsync();
        await _f.BuildAsync(Dockerfile, Arg("VERSION", "1.3"));
        Assert.Equal(
            [
                "ARG VERSION=1.2: ARG VERSION 1.2 → 1.3",
                "RUN --mount=type=bind,source=tools,target=/tools write /o 1: ARG VERSION 1.2 → 1.3",
                "RUN write /last 2: ARG VERSION 1.2 → 1.3",
            ], _f.Reasons);
    }

    [Fact]
    public async Task Base_image()
    {
        await FirstAsync();
        await _f.BaseAsync("base", null, "new=1");
        await _f.BuildAsync(Dockerfile);
        var record = _f.Store.BuildRecords.Get("")!;
        Assert.StartsWith("the base image changed (sha256:", Assert.Single(record.Steps[0].Reasons), StringComparison.Ordinal);
        Assert.All(_f.Reasons, r => Assert.EndsWith(": its parent changed at line 1", r, StringComparison.Ordinal));
        Assert.Equal(6, _f.Reasons.Count());
    }

    [Fact]
    public async Task Text_of_an_instruction()
    {
        await FirstAsync();
        await _f.BuildAsync(Dockerfile.Replace("write /last 2", "write /last 3"));
        Assert.Equal(["RUN write /last 3: the instruction changed ('RUN write /last 2' to 'RUN write /last 3')"], _f.Reasons);
    }

    [Fact]
    public async Task An_instruction_in_between()
    {
        await FirstAsync();
        await _f.BuildAsync(Dockerfile.Replace("RUN write /last", "RUN write /more 1\nRUN write /last"));
        Assert.Equal(["RUN write /more 1: the instruction is new", "RUN write /last 2: its parent changed at line 7"], _f.Reasons);
    }

    [Fact]
    public async Task The_ignore_file()
    {
        await FirstAsync();
        _f.Files(".dockerignore=# none of these\nsrc/*.c\n");
        await _f.BuildAsync(Dockerfile);
        Assert.Equal("COPY src /app: src/main.c is left out now (line 2 of the ignore file: 'src/*.c')", _f.Reasons.First());
    }

    [Fact]
    public async Task A_file_of_a_mount()
    {
        await FirstAsync();
        _f.Files("tools/t=changed");
        await _f.BuildAsync(Dockerfile);
        Assert.Equal("RUN --mount=type=bind,source=tools,target=/tools write /o 1: tools/t changed (sha256:e632b7095b0b to sha256:d67e2e944994)", _f.Reasons.First());
    }

    [Fact]
    public async Task The_platform()
    {
        _f.Files("one=1");
        await _f.BuildAsync("FROM scratch\nCOPY one /one", r => r with { Platform = Platform.Parse("linux/amd64") });
        await _f.BuildAsync("FROM scratch\nCOPY one /one", r => r with { Platform = Platform.Parse("linux/arm64") });
        Assert.Equal(["COPY one /one: platform linux/amd64 → linux/arm64"], _f.Reasons);
    }

    [Fact]
    public async Task What_the_store_lost()
    {
        await FirstAsync();
        _f.Store.BuildCache.Prune(_ => true);
        await _f.BuildAsync(Dockerfile);
        Assert.Equal(6, _f.Reasons.Count(r => r.EndsWith(": what it left is no longer in the store", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_switched_off_stage_alone_is_built_again()
    {
        await _f.BaseAsync("base");
        const string dockerfile = "FROM base AS one\nRUN write /a 1\nFROM base AS two\nRUN write /b 1\nCOPY --from=one /a /a";
        await _f.BuildAsync(dockerfile);
        await _f.BuildAsync(dockerfile, r => r with { NoCacheStages = ["ONE"] });
        Assert.Equal(["RUN write /a 1: the cache is switched off for stage one"], _f.Reasons);
        Assert.Equal(3, _f.Executor.Steps.Count);
    }

    [Fact]
    public async Task Origins_do_not_mix()
    {
        await FirstAsync();
        await _f.BuildAsync("FROM base\nRUN write /other 1", r => r with { Origin = "elsewhere" });
        Assert.Equal(["RUN write /other 1: it was not built before"], _f.Reasons);
        Assert.Equal(7, _f.Store.BuildRecords.Get("")!.Steps.Count);
    }

    private static Func<BuildRequest, BuildRequest> Arg(string name, string value) =>
        r => r with { BuildArgs = new Dictionary<string, string?> { [name] = value } };

    private async Task FirstAsync()
    {
        await _f.BaseAsync("base");
        _f.Files("src/main.c=1", "src/link->main.c", "one=1", "tools/t=T");
        await _f.BuildAsync(Dockerfile);
    }
}
