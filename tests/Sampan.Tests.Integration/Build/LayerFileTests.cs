using System.Formats.Tar;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>Files that layers find hard: long names and paths, holes, capabilities, hard links, directories made anew.</summary>
public sealed class LayerFileTests(SharedDaemon shared) : SampanBuildTests(shared)
{
    [Fact]
    public async Task A_path_of_any_length_is_copied_from_the_context_and_from_a_stage()
    {
        Assert.SkipWhen(Subject.IsReference, "the classic builder's client stops at 4,096 bytes");
        string name = new('n', 255), image = NewName();
        string folder = Folder(("Dockerfile", "FROM busybox AS a\nCOPY src /src\nFROM scratch\nCOPY --from=a --chown=7:8 /src /dst\n"));
        File.WriteAllText(Path.Combine(folder, "deep.py"), $"""
            import os
            os.makedirs('{folder}/src'); os.chdir('{folder}/src')
            open('{name}', 'w').write('255'); open(b'bad\xff\xfe', 'w').write('bytes'); open('new\nline', 'w').write('line')
            for i in range(30):
                os.mkdir('%0250d' % i); os.chdir('%0250d' % i)
            open('leaf', 'w').write('leaf'); os.symlink('leaf', 'link'); os.link('leaf', 'hard'); os.setxattr('leaf', 'user.a', b'b')
            """);
        (await Daemon.Machine.ShellAsync($"python3 {folder}/deep.py")).Succeeds();
        for (int i = 0; i < 2; i++)
            (await Here($"build -t {image} {folder}")).Succeeds();
        (await Here($"build -t {image} {folder}")).Succeeds().Shows("Using cache");
        string layer = (await Daemon.Machine.ShellAsync($"cd {folder} && {{ DOCKER_HOST={Daemon.Host} {Subject.Sampan} save {image} | tar -x; }} && ls -S blobs/sha256/* | head -1")).Succeeds().Output;
        using var reader = new TarReader(File.OpenRead(Path.Combine(folder, layer)));
        var found = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            Assert.Equal((7, 8), (entry.Uid, entry.Gid));
            if (entry.EntryType != TarEntryType.Directory)
                found.Add($"{entry.Name.Length} {entry.EntryType} {Path.GetFileName(entry.Name)}");
        }
        Assert.Equal(["12 RegularFile new\nline", "259 RegularFile " + name, "7538 HardLink leaf", "7538 RegularFile hard", "7538 SymbolicLink link"],
            found.Where(f => !f.Contains("bad", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(6, found.Count);
    }

    [Fact]
    public async Task Holes_stay_holes_and_hard_links_stay_one_file()
    {
        string image = NewName();
        string folder = Folder(("Dockerfile", """
            FROM busybox AS a
            COPY sparse one two /d/
            RUN truncate -s 1G /d/made && echo end >>/d/made
            FROM busybox
            COPY --from=a /d /e
            CMD du -k /e/sparse /e/made; stat -c '%s %h' /e/sparse /e/made /e/one /e/two; tail -c 4 /e/sparse /e/made
            """), ("one", "1"));
        (await Daemon.Machine.ShellAsync($"cd {folder} && ln one two && truncate -s 1G sparse && echo end >>sparse")).Succeeds();
        (await Here($"build -t {image} {folder}")).Succeeds();
        CommandResult ran = (await Run($"run --rm {image}")).Succeeds();
        ran.Shows("1073741828 1\n1073741828 1\n1 2\n1 2\n");
        Assert.All(ran.Lines[..2], line => Assert.InRange(int.Parse(line.Split('\t')[0]), 0, 64));
        Assert.Equal(2, ran.Lines.Count(line => line.EndsWith("end", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Capabilities_go_through_copy_and_run()
    {
        string image = NewName();
        string folder = Folder(("Dockerfile", """
            FROM busybox AS a
            COPY --chmod=755 ping /x/
            RUN chmod 4755 /x/ping && ln /x/ping /linked
            FROM busybox
            COPY --from=a /linked /x/ping /bin/
            """), ("ping", "program"));
        (await Daemon.Machine.ShellAsync($"setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 {folder}/ping")).Succeeds();
        (await Here($"build -t {image} {folder}")).Succeeds();
        (await Here($"build -o type=tar,dest={folder}/out.tar {folder}")).Succeeds();
        (await Daemon.Machine.ShellAsync($"mkdir {folder}/out && tar --xattrs --xattrs-include='*' -xpf {folder}/out.tar -C {folder}/out bin/ping bin/linked && getfattr --absolute-names -d -e hex -m security.capability {folder}/out/bin/ping | sed -n 2p; stat -c %a {folder}/out/bin/ping"))
            .Succeeds().Prints("security.capability=0x0100000200200000000000000000000000000000\n4755");
    }

    [Fact]
    public async Task A_directory_made_anew_does_not_show_what_was_in_it()
    {
        string image = NewName();
        string folder = Folder(("Dockerfile", """
            FROM busybox
            RUN mkdir -p /o/sub && echo 1 >/o/sub/f && echo 2 >/o/g
            RUN rm -r /o && mkdir /o && echo 3 >/o/new
            RUN rm /o/new && mv /etc/group /o/group && ln -s group /o/link
            CMD find /o /etc/group | sort; cat /o/link | head -1
            """));
        (await Run($"build -t {image} {folder}")).Succeeds();
        (await Run($"run --rm {image}")).Shows("/o\n/o/group\n/o/link\nroot:");
        byte[] archive = (await Cli.Run(["save", image])).Succeeds().OutputBytes;
        (await Run($"rmi {image}")).Succeeds();
        (await Cli.Run(["load"], archive)).Succeeds();
        (await Run($"run --rm {image}")).Shows("/o\n/o/group\n/o/link\nroot:");
    }
}
