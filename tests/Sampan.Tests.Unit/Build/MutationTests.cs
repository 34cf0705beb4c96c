using Sampan.Build;
using Sampan.Build.Sources;
using Sampan.Linux;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>
/// A build with every kind of input is done twice with one thing changed in between: which steps are done again, and what is said of them,
/// is exactly what that input reaches.
/// </summary>
public sealed class MutationTests : IDisposable
{
    // 1 base, 2 tools stage, …; the numbers below are lines.
    private const string Dockerfile = """
        FROM base AS tools
        COPY tool /tool
        RUN write /made 1
        FROM base
        ARG VERSION=1
        ARG UNUSED=1
        COPY --from=lib /shared /shared
        COPY src /app/
        RUN --mount=type=secret,id=token write /a 1
        RUN --mount=type=bind,from=lib,source=mounted,target=/m write /b 1
        ENV LEVEL=1
        USER web
        WORKDIR /work
        RUN write /work/c 1
        COPY --from=tools /made /made
        CMD ["c"]
        """;

    private readonly BuildFixture _f = new();
    private readonly Scratch _other = new();
    private string _lib = "";

    public void Dispose()
    {
        _f.Dispose();
        _other.Dispose();
    }

    /// <summary>What changes, the lines of the steps that are done again, and why the first of them is.</summary>
    public static TheoryData<string, int[], string> Mutations() => new()
    {
        // what does not count
        { "nothing", [], "" },
        { "times of files", [], "" },
        { "owner of a file", [], "" },
        { "a file that no step uses", [], "" },
        { "the directory", [], "" },
        { "a secret", [], "" },
        { "a limit of the steps", [], "" },
        { "another network for the steps", [], "" },
        { "a label of the command line", [], "" },
        { "the tag", [], "" },
        { "workers", [], "" },
        { "a comment in the Dockerfile", [], "" },
        { "a blank in an instruction", [], "" },
        { "a comment in the ignore file", [], "" },
        { "a file of the other context that no step uses", [], "" },
        { "the configuration at the end", [], "" },
        { "a new instruction at the end", [17], "RUN write /z 1: the instruction is new" },

        // what does; a command that leaves what it left before is the end of it
        { "content of a file", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/main.c changed (sha256:6b86b273ff34 to sha256:d4735e3a265e)" },
        { "mode of a file", [8, 9, 10, 13, 14, 15], "COPY src /app/: the mode of src/main.c changed (644 to 600)" },
        { "a name", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/prog.c is new, src/main.c is gone" },
        { "a new file", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/new is new" },
        { "a removed file", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/main.c is gone" },
        { "a file that becomes a directory", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/main.c changed (sha256:6b86b273ff34 to directory)" },
        { "a file that becomes a symlink", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/main.c changed (sha256:6b86b273ff34 to symlink x)" },
        { "an extended attribute", [8, 9, 10, 13, 14, 15], "COPY src /app/: the extended attributes of src/main.c changed" },
        { "the ignore file", [8, 9, 10, 13, 14, 15], "COPY src /app/: src/main.c is left out now (line 1 of the ignore file: '**/*.c')" },
        { "a file of the other context", [7, 8, 9, 10, 13, 14, 15], "COPY --from=lib /shared /shared: shared changed (sha256:6b86b273ff34 to sha256:d4735e3a265e)" },
        { "a mounted file of the other context", [10], "RUN --mount=type=bind,from=lib,source=mounted,target=/m write /b 1: mounted changed (sha256:6b86b273ff34 to sha256:d4735e3a265e)" },
        { "an argument", [9, 10, 14], "ARG VERSION=1: ARG VERSION 1 → 2" },
        { "an argument that no command reads", [9, 10, 14], "ARG UNUSED=1: ARG UNUSED 1 → 2" },
        { "a default in the Dockerfile", [9, 10, 14], "RUN write /work/c 1: ARG VERSION 1 → 2" },
        { "the environment", [14], "RUN write /work/c 1: ENV LEVEL 1 → 2" },
        { "the user", [13, 14, 15], "USER 0:7: the instruction changed ('USER web' to 'USER 0:7')" },
        { "the directory of work", [13, 14, 15], "WORKDIR /word: the instruction changed ('WORKDIR /work' to 'WORKDIR /word')" },
        { "the text of a command", [9, 10, 13, 14, 15], "RUN --mount=type=secret,id=token write /a 2: the instruction changed" },
        { "the options of a mount", [9], "RUN --mount=type=secret,id=token,required write /a 1: the instruction changed" },
        { "a network of one command", [9], "RUN --network=none --mount=type=secret,id=token write /a 1: the instruction changed" },
        { "the shell", [10, 11, 15], "SHELL [\"/bin/bash\", \"-c\"]: the instruction is new" },
        { "the owner of a copy", [8, 9, 10, 13, 14, 15], "COPY --chown=7 src /app/: the instruction changed" },
        { "the mode of a copy", [8, 9, 10, 13, 14, 15], "COPY --chmod=700 src /app/: the instruction changed" },
        { "where a copy goes", [8, 9, 10, 13, 14, 15], "COPY src /lib/: the instruction changed" },
        { "a stage's file", [2, 3, 15], "COPY tool /tool: tool changed (sha256:6b86b273ff34 to sha256:d4735e3a265e)" },
        { "a stage's file that gives the same", [2, 3], "COPY tool /tool: tool changed (sha256:6b86b273ff34 to sha256:d4735e3a265e)" },
        { "the base image", [1, 2, 3, 4, 7, 8, 9, 10, 13, 14, 15], "" },
        { "the epoch", [2, 3, 7, 8, 9, 10, 13, 14, 15], "ARG VERSION=1: SOURCE_DATE_EPOCH is new (1)" },
    };

    [Theory]
    [MemberData(nameof(Mutations))]
    public async Task One_input_reaches_what_it_reaches(string what, int[] lines, string why)
    {
        await _f.BaseAsync("base");
        _f.Files("src/main.c=1", "src/b=1", "tool=1", "unused=1", ".dockerignore=\n");
        _lib = _other.Tree("lib", "shared=1", "mounted=1", "unused=1");
        await _f.BuildAsync(Dockerfile, Request);
        var (dockerfile, change) = await MutateAsync(what);

        await _f.BuildAsync(dockerfile, r => change(Request(r)));

        // Settings (ARG, ENV, USER …) are no work, whether anything before them changed or not.
        var again = _f.Store.BuildRecords.Get("")!.Steps.Where(s => !s.IsCached && s.Text.Split(' ')[0] is ("FROM" or "RUN" or "COPY" or "WORKDIR"))
            .Select(s => s.Line).Order().ToArray();
        Assert.True(lines.SequenceEqual(again), $"{what}: done again were the lines {string.Join(", ", again)}:\n{string.Join('\n', _f.Reasons)}");
        Assert.True(why.Length == 0 || _f.Reasons.Any(reason => reason.StartsWith(why, StringComparison.Ordinal)), $"{what}: nothing says '{why}':\n{string.Join('\n', _f.Reasons)}");
        Assert.All(_f.Reasons, reason => Assert.DoesNotContain("no longer in the store", reason, StringComparison.Ordinal));
    }

    private BuildRequest Request(BuildRequest r) => r with
    {
        Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { ["token"] = "one"u8.ToArray() },
        NamedContexts = new Dictionary<string, NamedContext> { ["lib"] = new() { Directory = _lib } },
    };

    /// <summary>Changes one thing: files at once, the Dockerfile and the request in what comes back.</summary>
    private async Task<(string Dockerfile, Func<BuildRequest, BuildRequest> Change)> MutateAsync(string what)
    {
        var main = Path.Combine(_f.Context, "src/main.c");
        (string, Func<BuildRequest, BuildRequest>) Same() => (Dockerfile, r => r);
        (string, Func<BuildRequest, BuildRequest>) Text(string old, string now) => (Dockerfile.Replace(old, now), r => r);
        (string, Func<BuildRequest, BuildRequest>) Asked(Func<BuildRequest, BuildRequest> change) => (Dockerfile, change);
        (string, Func<BuildRequest, BuildRequest>) Arg(string name, string value) =>
            Asked(r => r with { BuildArgs = new Dictionary<string, string?> { [name] = value } });
        (string, Func<BuildRequest, BuildRequest>) Written(params string[] entries)
        {
            _f.Files(entries);
            return Same();
        }

        switch (what)
        {
            case "nothing":
                return Same();
            case "times of files":
                File.SetLastWriteTimeUtc(main, DateTime.UtcNow.AddYears(-3));
                return Same();
            case "owner of a file":
                Sys.ChownAt(Sys.AT_FDCWD, Bytes.FromText(main), 1234, 1234);
                return Same();
            case "a file that no step uses":
                return Written("unused=2", "more=1");
            case "the directory":
                var moved = _other.Tree("moved", "src/main.c=1", "src/b=1", "tool=1");
                return Asked(r => r with { ContextDirectory = moved });
            case "a secret":
                return Asked(r => r with { Secrets = new Dictionary<string, ReadOnlyMemory<byte>> { ["token"] = "two"u8.ToArray() } });
            case "a limit of the steps":
                return Asked(r => r with { Limits = new() { MemoryBytes = 1 << 30 }, ShmSizeBytes = 1 << 20, ExtraHosts = ["a:1.2.3.4"] });
            case "another network for the steps":
                return Asked(r => r with { NetworkMode = "none" });
            case "a label of the command line":
                return Asked(r => r with { Labels = new Dictionary<string, string> { ["a"] = "b" } });
            case "the tag":
                return Asked(r => r with { Tags = [ImageReference.Parse("other")] });
            case "workers":
                return Asked(r => r with { Parallelism = 1 });
            case "a comment in the Dockerfile":
                return Text("ARG UNUSED", "# a comment\nARG UNUSED");
            case "a blank in an instruction":
                return Text("COPY src /app/", "COPY   src    /app/");
            case "a comment in the ignore file":
                return Written(".dockerignore=# nothing\n");
            case "a file of the other context that no step uses":
                _other.Tree("lib", "unused=2");
                return Same();
            case "the configuration at the end":
                return Text("CMD [\"c\"]", "CMD [\"d\"]\nEXPOSE 80");
            case "a new instruction at the end":
                return (Dockerfile + "\nRUN write /z 1", r => r);
            case "content of a file":
                return Written("src/main.c=2");
            case "mode of a file":
                File.SetUnixFileMode(main, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                return Same();
            case "a name":
                File.Move(main, Path.Combine(_f.Context, "src/prog.c"));
                return Same();
            case "a new file":
                return Written("src/new=1");
            case "a removed file":
                File.Delete(main);
                return Same();
            case "a file that becomes a directory":
                File.Delete(main);
                Directory.CreateDirectory(main);
                return Same();
            case "a file that becomes a symlink":
                File.Delete(main);
                return Written("src/main.c->x");
            case "an extended attribute":
                Assert.Equal(0, Sys.TrySetXattrAt(Sys.AT_FDCWD, Bytes.FromText(main), "user.a"u8, "b"u8));
                return Same();
            case "the ignore file":
                return Written(".dockerignore=**/*.c\n");
            case "a file of the other context":
                _other.Tree("lib", "shared=2");
                return Same();
            case "a mounted file of the other context":
                _other.Tree("lib", "mounted=2");
                return Same();
            case "an argument":
                return Arg("VERSION", "2");
            case "an argument that no command reads":
                return Arg("UNUSED", "2");
            case "a default in the Dockerfile":
                return Text("ARG VERSION=1", "ARG VERSION=2");
            case "the environment":
                return Text("ENV LEVEL=1", "ENV LEVEL=2");
            case "the user":
                return Text("USER web", "USER 0:7");
            case "the directory of work":
                return Text("WORKDIR /work\n", "WORKDIR /word\n");
            case "the text of a command":
                return Text("write /a 1", "write /a 2");
            case "the options of a mount":
                return Text("id=token", "id=token,required");
            case "a network of one command":
                return Text("RUN --mount=type=secret", "RUN --network=none --mount=type=secret");
            case "the shell":
                return Text("ARG UNUSED=1\n", "ARG UNUSED=1\nSHELL [\"/bin/bash\", \"-c\"]\n");
            case "the owner of a copy":
                return Text("COPY src", "COPY --chown=7 src");
            case "the mode of a copy":
                return Text("COPY src", "COPY --chmod=700 src");
            case "where a copy goes":
                return Text("COPY src /app/", "COPY src /lib/");
            case "a stage's file":
                _f.Files("tool=2");
                return Text("write /made 1", "write /made 2");
            case "a stage's file that gives the same":
                return Written("tool=2");
            case "the base image":
                await _f.BaseAsync("base", null, "new=1");
                return Same();
            case "the epoch":
                return Arg("SOURCE_DATE_EPOCH", "1");
            default:
                throw new ArgumentException(what);
        }
    }
}
