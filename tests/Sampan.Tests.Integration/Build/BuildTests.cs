using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>`build`: from a Dockerfile to an image.</summary>
public abstract class BuildTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    private string Context(string dockerfile, params (string Path, string Content)[] files)
    {
        string folder = Path.Combine(Daemon.Folder, NewName());
        Directory.CreateDirectory(folder);
        foreach ((string path, string content) in (IEnumerable<(string, string)>)[("Dockerfile", dockerfile), .. files])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
            File.WriteAllText(Path.Combine(folder, path), content);
        }
        return folder;
    }

    private async Task<string> Built(string dockerfile, params (string Path, string Content)[] files)
    {
        string image = NewName();
        (await Run($"build -t {image} {Context(dockerfile, files)}")).Succeeds();
        return image;
    }

    [Fact]
    public async Task Every_kind_of_step_leaves_its_mark()
    {
        string image = await Built("""
            FROM busybox
            ARG WHO=nobody
            ENV GREETING="hello $WHO" OTHER=x
            LABEL a=b
            WORKDIR /work/here
            COPY one.txt two.txt ./
            COPY folder /folder
            ADD three.txt /added/
            RUN echo "$GREETING" >greeting && echo run >>/log
            RUN ["sh", "-c", "echo exec >>/log"]
            SHELL ["/bin/sh", "-ec"]
            RUN echo shell >>/log
            EXPOSE 80 53/udp
            VOLUME /data
            STOPSIGNAL USR1
            USER www-data
            ENTRYPOINT ["sh", "-c"]
            CMD ["cat /work/here/greeting /log; id -un; pwd"]
            """, ("one.txt", "1"), ("two.txt", "2"), ("three.txt", "3"), ("folder/deep/four.txt", "4"));
        (await Run($"run --rm {image}")).Succeeds().Prints("hello nobody\nrun\nexec\nshell\nwww-data\n/work/here");
        (await Run($"run --rm {image} 'cat one.txt two.txt /added/three.txt /folder/deep/four.txt'")).Succeeds().Prints("1234");
        Assert.Equal("map[53/udp:{} 80/tcp:{}] map[/data:{}] USR1 map[a:b]",
            await Inspect("{{.Config.ExposedPorts}} {{.Config.Volumes}} {{.Config.StopSignal}} {{.Config.Labels}}", image));
    }

    [Fact]
    public async Task Stages_copy_from_each_other_and_only_the_last_is_kept()
    {
        string image = await Built("""
            FROM busybox AS base
            RUN echo from base >/base
            FROM base AS tools
            RUN echo from tools >/tool && mkdir /many && touch /many/a /many/b
            FROM scratch AS last
            COPY --from=tools /tool /base /
            COPY --from=1 /many /many
            COPY --from=base /bin/busybox /bin/busybox
            CMD ["/bin/busybox", "cat", "/tool"]
            """);
        (await Run($"run --rm {image}")).Succeeds().Prints("from tools");
        (await Run($"run --rm {image} /bin/busybox ls / /many")).Succeeds().Shows("base").Shows("a\nb");
    }

    [Fact]
    public async Task A_target_ends_the_build_early()
    {
        string context = Context("FROM busybox AS one\nCMD echo one\nFROM one AS two\nRUN false\n");
        string image = NewName();
        (await Run($"build --target one -t {image} {context}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("one");
        (await Run($"build --target three {context}")).Exits(1).Complains("three");
    }

    [Fact]
    public async Task Arguments_reach_the_steps()
    {
        string context = Context("ARG BASE=no-such-image\nFROM $BASE\nARG ONE=default\nARG TWO\nRUN echo $ONE $TWO >/args\nCMD cat /args\n");
        string image = NewName();
        (await Run($"build --build-arg BASE=busybox --build-arg TWO=second -t {image} {context}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("default second");
    }

    [Fact]
    public async Task Unchanged_steps_come_from_the_cache()
    {
        string context = Context("FROM busybox\nRUN cat /proc/sys/kernel/random/uuid >/first\nCOPY file /\nRUN cat /proc/sys/kernel/random/uuid >/second\nCMD cat /first /second\n",
            ("file", "1"));
        string image = NewName();
        async Task<string[]> Build(string options = "")
        {
            (await Run($"build {options} -t {image} {context}")).Succeeds();
            return (await Run($"run --rm {image}")).Succeeds().Lines;
        }
        string[] first = await Build();
        File.SetLastWriteTimeUtc(Path.Combine(context, "file"), DateTime.UtcNow.AddHours(-1));
        Assert.Equal(first, await Build());
        File.WriteAllText(Path.Combine(context, "file"), "2");
        string[] changed = await Build();
        Assert.Equal(first[0], changed[0]);
        Assert.NotEqual(first[1], changed[1]);
        Assert.NotEqual(changed[0], (await Build("--no-cache"))[0]);
    }

    [Fact]
    public async Task Ignored_files_are_not_sent()
    {
        string image = await Built("FROM busybox\nCOPY . /context\nCMD find /context -type f | sort\n",
            (".dockerignore", "# comment\n*.log\nsub/**\n!sub/kept\nDockerfile\n"), ("a.log", ""), ("a.txt", ""), ("sub/kept", ""), ("sub/gone", ""));
        (await Run($"run --rm {image}")).Succeeds().Prints("/context/.dockerignore\n/context/a.txt\n/context/sub/kept");
    }

    [Fact]
    public async Task Add_unpacks_archives_and_copy_does_not()
    {
        string context = Context("FROM busybox\nADD a.tar.gz /added/\nCOPY a.tar.gz /copied/\nCMD ls /added /copied\n");
        (await Daemon.Machine.ShellAsync($"cd {context} && echo x >inside && tar -czf a.tar.gz inside")).Succeeds();
        string image = NewName();
        (await Run($"build -t {image} {context}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("/added:\ninside\n\n/copied:\na.tar.gz");
    }

    [Fact]
    public async Task Owners_and_modes_are_kept_or_set()
    {
        string context = Context("FROM busybox\nCOPY script /\nCOPY --chown=www-data:users owned /\nCMD stat -c '%a %U:%G' /script /owned\n",
            ("script", "#!/bin/sh\n"), ("owned", ""));
        File.SetUnixFileMode(Path.Combine(context, "script"), (UnixFileMode)0b111_101_000);
        File.SetUnixFileMode(Path.Combine(context, "owned"), (UnixFileMode)0b110_100_100);
        string image = NewName();
        (await Run($"build -t {image} {context}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("750 root:root\n644 www-data:users");
    }

    [Fact]
    public async Task The_result_is_told_quietly_and_in_a_file()
    {
        string context = Context("FROM busybox\nLABEL quiet=yes\n");
        string file = Path.Combine(context, "id");
        string image = NewName();
        string id = (await Run($"build -q --iidfile {file} -t {image}:one -t {image}:two {context}")).Succeeds().Output;
        Assert.Matches("^sha256:[0-9a-f]{64}$", id);
        Assert.Equal(id, File.ReadAllText(file).Trim());
        Assert.Equal(id, await Inspect("{{.Id}}", $"{image}:one"));
        Assert.Equal(id, await Inspect("{{.Id}}", $"{image}:two"));
    }

    [Fact]
    public async Task The_dockerfile_may_come_from_elsewhere()
    {
        string context = Context("FROM busybox\nRUN false\n", ("other/Named", "FROM busybox\nCOPY file /\nCMD cat /file\n"), ("file", "content"));
        string image = NewName();
        (await Run($"build -f {context}/other/Named -t {image} {context}")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("content");
        (await Run($"build -t {image} -", "FROM busybox\nCMD echo from input\n")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("from input");
        byte[] tar = new TarMaker().File("Dockerfile", "FROM busybox\nCOPY in /\nCMD cat /in\n").File("in", "from tar").Finish();
        (await Cli.Run(["build", "-t", image, "-"], tar)).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("from tar");
    }

    [Fact]
    public async Task Names_with_spaces_and_deleted_files_are_kept_as_they_are()
    {
        string image = await Built("FROM busybox\nCOPY [\"a b\", \"/c d\"]\nRUN rm -r /etc/passwd /var/www\nRUN mkdir /var/www\nCMD cat '/c d'; ls /etc/passwd /var/www\n",
            ("a b", "spaced\n"));
        (await Run($"run --rm {image}")).Shows("spaced").Complains("/etc/passwd: No such file");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class BuildWithDockerTests(SharedDaemon shared) : BuildTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class BuildWithSampanTests(SharedDaemon shared) : BuildTests(shared, CommandLine.Sampan);
