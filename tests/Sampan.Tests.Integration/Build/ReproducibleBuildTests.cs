using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>The same input gives the same digest: in another directory, on another day, by another user, daemon, client and number of processors.</summary>
public sealed class ReproducibleBuildTests
{
    private const string Dockerfile = """
        FROM busybox AS one
        COPY src /src
        RUN date >/dev/null && mkdir -p /made/deep && echo 1 >/made/deep/file && ln /made/deep/file /made/hard && ln -s deep /made/link
        FROM busybox AS two
        WORKDIR /work/dir
        ADD a.tar.gz /work/
        RUN rm -r /etc/group && touch /work/new && chown 1:2 /work/new
        FROM busybox
        ARG WHO=me
        ENV WHO=$WHO
        COPY --from=one /src /made /one/
        COPY --from=two --chown=33:33 /work /two
        COPY <<EOF /written
        by $WHO
        EOF
        LABEL a=b
        CMD ["cat", "/written"]
        """;

    /// <summary>A clock that is 400 days and some seconds ahead, for every program that asks libc.</summary>
    private const string AheadOfTime = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <time.h>
        #include <sys/time.h>
        #define AHEAD (400L * 86400 + 12345)
        int clock_gettime(clockid_t id, struct timespec *t) {
            static int (*real)(clockid_t, struct timespec *);
            if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
            int r = real(id, t);
            if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += AHEAD;
            return r;
        }
        time_t time(time_t *out) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); if (out) *out = t.tv_sec; return t.tv_sec; }
        int gettimeofday(struct timeval *v, void *z) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); v->tv_sec = t.tv_sec; v->tv_usec = t.tv_nsec / 1000; return 0; }
        """;

    [Fact]
    public async Task Everywhere_and_always_the_same_digest()
    {
        Assert.SkipWhen(Subject.IsReference, "the classic builder dates its images by the clock");
        using var machine = new Machine();
        string root = machine.Folder, ahead = Path.Combine(root, "ahead.so");
        File.WriteAllText(ahead + ".c", AheadOfTime);
        (await machine.ShellAsync($"cc -shared -fPIC -o {ahead} {ahead}.c && chmod 755 {root}")).Succeeds();
        await using Daemon one = await Daemon.StartOnAsync(machine, "one");
        await using Daemon two = await Daemon.StartOnAsync(machine, "two", environment: ("LD_PRELOAD", ahead));
        (await one.Docker.Run(["import", "--change", "CMD [\"sh\"]", Subject.Busybox, "busybox:latest"])).Succeeds();
        (await one.Docker.Run($"save -o {root}/base.tar busybox")).Succeeds();
        (await two.Docker.Run($"load -i {root}/base.tar")).Succeeds();
        string here = await Context(machine, "here", "umask 022"), there = await Context(machine, "some/where/else", "umask 077");
        (await machine.ShellAsync($"cd {there} && find . -exec touch -h -d 2001-02-03 {{}} + && chown -Rh 1234:5678 . && chmod -R u=rwX,go=rX {root}/some {there} && chmod 666 {two.Socket}")).Succeeds();

        string first = await Built(one.Sampan, here);
        var others = new Dictionary<string, string>
        {
            ["again, without the cache"] = await Built(one.Sampan, here),
            ["another directory, times and owners"] = await Built(one.Sampan, there),
            ["docker's client, which sends an archive"] = await Built(one.Docker, there),
            ["another daemon, root and day"] = await Built(two.Sampan, here),
            ["all of it, with docker's client"] = await Built(two.Docker, there),
        };
        string asUser = $"export HOME={root} DOCKER_HOST={two.Host} DOCKER_CONFIG={root}/none; setpriv --reuid 1234 --regid 5678 --clear-groups {Subject.Sampan} build -q --no-cache {there}";
        others["another user"] = (await machine.ShellAsync(asUser, 120)).Succeeds().Output;
        Assert.All(others, other => Assert.True(first == other.Value, $"{other.Key}: {other.Value} instead of {first}"));

        // The clock that was put forward is one that the daemon goes by.
        string created = (await two.Docker.Run("create --name dated busybox")).Succeeds().Output;
        Assert.StartsWith($"{DateTime.UtcNow.AddDays(400):yyyy-}", (await two.Docker.Run(["inspect", "--format", "{{.Created}}", created])).Succeeds().Output, StringComparison.Ordinal);

        // One processor has the steps of one stage at a time.
        await using Daemon slow = await Daemon.StartOnAsync(machine, "slow", environment: ("DOTNET_PROCESSOR_COUNT", "1"));
        (await slow.Docker.Run($"load -i {root}/base.tar")).Succeeds();
        Assert.Equal(first, await Built(slow.Sampan, here));
        (await slow.Sampan.Run($"build --verify {first} {there}")).Succeeds();
    }

    /// <summary>Builds in another second than the one before.</summary>
    private static async Task<string> Built(Cli cli, string context)
    {
        await Task.Delay(1100);
        return (await cli.Run($"build -q --no-cache {context}", timeoutSeconds: 120)).Succeeds().Output;
    }

    private static async Task<string> Context(Machine machine, string name, string mask)
    {
        string folder = Path.Combine(machine.Folder, name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Dockerfile"), Dockerfile);
        (await machine.ShellAsync($"""
            {mask}; cd {folder} && mkdir -p src/b && mkdir -p -m 755 .parts .parts/d && echo A >src/a && echo C >src/b/c && ln -s a src/link && ln src/a src/hard && echo x >.parts/d/x
            chmod 644 .parts/d/x && touch -d 2020-01-01 .parts/d/x .parts/d && tar --sort=name -C .parts -czf a.tar.gz d && rm -r .parts
            chmod 755 src src/b && chmod 644 src/a src/b/c
            """)).Succeeds();
        return folder;
    }
}
