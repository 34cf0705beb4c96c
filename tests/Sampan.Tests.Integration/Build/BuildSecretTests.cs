using System.Text;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>
/// Secrets and agents for ssh reach the command they are for, and nothing else. The daemon is the class's own: all its files are searched,
/// and the one of all tests has gigabytes.
/// </summary>
public sealed class BuildSecretTests(SharedDaemon own) : SampanBuildTests(own), IClassFixture<SharedDaemon>
{
    [Fact]
    public async Task A_secret_comes_from_a_file_or_a_variable()
    {
        string folder = Folder(("token", "from-file"), ("Dockerfile", """
            FROM busybox
            RUN --mount=type=secret,id=file cat /run/secrets/file | tr a-z A-Z >/seen
            RUN --mount=type=secret,id=var,target=/s,mode=0440,uid=33,gid=33 stat -c '%a %u:%g' /s >>/seen; wc -c </s >>/seen
            RUN --mount=type=secret,id=var,env=TOKEN echo ${#TOKEN} >>/seen
            RUN echo "${TOKEN:-none}" >>/seen; ls /run/secrets >>/seen 2>&1 || true
            CMD cat /seen
            """));
        string image = NewName();
        (await Here($"build --secret id=file,src={folder}/token --secret id=var,env=FROM_ENV -t {image} {folder}", "FROM_ENV=12345")).Succeeds();
        (await Run($"run --rm {image}")).Succeeds().Prints("FROM-FILE440 33:33\n5\n5\nnone\nls: /run/secrets: No such file or directory");
    }

    [Fact]
    public async Task A_required_secret_that_is_missing_is_named()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\nRUN --mount=type=secret,id=token,required true\n"));
        (await Run($"build {folder}")).Fails().Complains("secret 'token' is required");
        (await Run($"build --secret id=token,src={folder}/nowhere {folder}")).Fails().Complains("nowhere");
        (await Run($"build --secret src=x {folder}")).Fails().Complains("no id");
        using var api = new RawApi(Daemon.Socket);
        (await api.PostAsync("/v1.43/build?attachment=0123")).Is(404);
        (await api.PostAsync("/v1.43/build/attachments?kind=wallet&name=x")).Is(400);
    }

    [Fact]
    public async Task A_secret_serves_one_build()
    {
        using var api = new RawApi(Daemon.Socket);
        string id = (string)(await api.PostAsync("/v1.43/build/attachments?kind=secret&name=s", "\"x\"")).Is(201).Json["Id"]!;
        string folder = Folder(("Dockerfile", "FROM busybox\n"));
        Assert.NotEqual(404, (await api.PostAsync($"/v1.43/build?attachment={id}&remote=ftp://nowhere")).Status);
        (await api.PostAsync($"/v1.43/build?attachment={id}&remote=ftp://nowhere")).Is(404);
    }

    [Fact]
    public async Task Nothing_of_secrets_agents_caches_and_binds_is_left_anywhere()
    {
        string word = Guid.NewGuid().ToString("n"), cache = Guid.NewGuid().ToString("n"), bound = Guid.NewGuid().ToString("n");
        string folder = Folder(("token", word), ("bound/file", bound), ("Dockerfile", $$"""
            FROM busybox
            RUN --mount=type=secret,id=s,required --mount=type=secret,id=s,env=S --mount=type=ssh \
                --mount=type=cache,target=/cache --mount=type=bind,target=/bound,source=bound \
                test "$S" = "$(cat /run/secrets/s)" && test -n "$(cat /bound/file)" && echo $(echo {{cache[..16]}})$(echo {{cache[16..]}}) >/cache/file \
                && test -S "$SSH_AUTH_SOCK" && echo ok >/result
            CMD cat /result; find / -xdev \( -name 'ssh_agent*' -o -name secrets -o -name cache -o -name bound -o -name buildkit \) | grep -v ^/proc
            """));
        string image = NewName();
        (await Here($"build --ssh default --secret id=s,src={folder}/token -t {image} {folder}", "eval $(ssh-agent) >/dev/null; trap 'ssh-agent -k >/dev/null' EXIT;")).Succeeds();
        (await Run($"run --rm {image}")).Prints("ok");
        byte[] archive = (await Cli.Run(["save", image])).Succeeds().OutputBytes;
        foreach (string secret in (string[])[word, bound, cache])
            Assert.True(archive.AsSpan().IndexOf(Encoding.ASCII.GetBytes(secret)) < 0, $"{secret} is in the image");
        Assert.Empty(await Holding(word));
        Assert.Empty(await Holding(bound));
        Assert.All(await Holding(cache), path => Assert.Contains("/cache-mounts/", path, StringComparison.Ordinal));
        foreach (string blob in Directory.GetFiles(Path.Combine(Daemon.DataRoot, "content"), "*", SearchOption.AllDirectories))
            Assert.DoesNotContain("ssh_agent.0", File.ReadAllText(blob), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exit 3")]
    [InlineData("sleep 1000")]
    public async Task Nothing_is_left_of_a_build_that_fails_or_is_cancelled(string end)
    {
        string word = Guid.NewGuid().ToString("n"), memory = Guid.NewGuid().ToString("n"), bound = Guid.NewGuid().ToString("n"), written = Guid.NewGuid().ToString("n");
        string folder = Folder(("token", word), ("bound/file", bound), ("Dockerfile", $$"""
            FROM busybox
            RUN --mount=type=secret,id=s,required --mount=type=secret,id=s,env=S --mount=type=ssh --mount=type=tmpfs,target=/t \
                --mount=type=bind,target=/bound,source=bound,rw cat /run/secrets/s /bound/file >/dev/null \
                && echo $(echo {{memory[..16]}})$(echo {{memory[16..]}}) | tee /t/file /bound/other >/dev/null \
                && echo $(echo {{written[..16]}})$(echo {{written[16..]}}) >/layer && echo all is there && {{end}}
            """));
        // The client is ended as soon as the command has done its work; the one that fails by itself may be faster.
        (await Here($"""
            build --no-cache --progress plain --ssh default --secret id=s,src={folder}/token {folder} >{folder}.out 2>&1 & build=$!
            until grep -q 'all is there$' {folder}.out; do sleep .05; done; kill $build; wait $build
            """, "eval $(ssh-agent) >/dev/null; trap 'ssh-agent -k >/dev/null' EXIT;")).Fails();
        foreach (string secret in (string[])[word, memory, bound, written])
            await Eventually.IsTrue(async () => (await Holding(secret)).Length == 0, 10, () => $"{secret} is left somewhere");
        Assert.DoesNotContain("/ssh_agent", (await Daemon.Machine.ShellAsync("cat /proc/mounts")).Succeeds().Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_copied_to_where_something_was_mounted_finds_nothing_of_the_mount()
    {
        string folder = Folder(("a", "a"), ("Dockerfile", """
            FROM busybox
            RUN --mount=type=cache,target=/made/cache,mode=0700,uid=33 --mount=type=bind,target=/made/file,source=a --mount=type=tmpfs,target=/t touch /made/cache/x /t/x
            RUN ls -d /made /t 2>&1 | sort >/seen || true
            COPY a /made/cache/
            COPY a /made/file/
            COPY a /t/
            CMD cat /seen; find /made /t -exec stat -c '%n %a %u' {} \;
            """));
        string image = NewName();
        (await Run($"build -t {image} {folder}")).Succeeds();
        (await Run($"run --rm {image}")).Prints(
            "ls: /made: No such file or directory\nls: /t: No such file or directory\n/made 755 0\n/made/cache 755 0\n/made/cache/a 644 0\n/made/file 755 0\n/made/file/a 644 0\n/t 755 0\n/t/a 644 0");
    }

    /// <summary>Every file of the daemon that holds a word: layers, their recipes, configurations, the database, caches of keys, what runs.</summary>
    private async Task<string[]> Holding(string word) =>
        (await Daemon.Machine.ShellAsync($"grep -rlaF {word} {Daemon.DataRoot} {Daemon.Folder}/exec --exclude-dir=merged || true")).Succeeds().Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [Fact]
    public async Task An_agent_answers_inside_a_step_also_to_another_user()
    {
        string folder = Folder(("Dockerfile", """
            FROM busybox
            COPY ask /
            USER www-data
            RUN --mount=type=ssh,id=k,target=/tmp/a,uid=33 stat -c '%a %u' /tmp/a; /ask /tmp/a
            """), ("ask.c", """
            #include <stdio.h>
            #include <string.h>
            #include <unistd.h>
            #include <sys/socket.h>
            #include <sys/un.h>
            int main(int argc, char **argv) {
                struct sockaddr_un a = { .sun_family = AF_UNIX };
                unsigned char answer[9];
                strcpy(a.sun_path, argv[1]);
                int s = socket(AF_UNIX, SOCK_STREAM, 0);
                if (connect(s, (void *)&a, sizeof a) || write(s, "\0\0\0\1\13", 5) != 5 || read(s, answer, 9) != 9) return 1;
                printf("type %d, keys %d\n", answer[4], answer[8]);
            }
            """));
        (await Daemon.Machine.ShellAsync($"cc -static -o {folder}/ask {folder}/ask.c")).Succeeds();
        // The agent's answer to "list the identities" is SSH_AGENT_IDENTITIES_ANSWER, 12, with one key.
        CommandResult built = (await Here($"build --no-cache --progress plain --ssh k=$SSH_AUTH_SOCK {folder}",
            $"eval $(ssh-agent) >/dev/null; trap 'ssh-agent -k >/dev/null' EXIT; ssh-keygen -q -t ed25519 -N '' -f {folder}/key; ssh-add -q {folder}/key;")).Succeeds();
        built.Shows("600 33\ntype 12, keys 1");
    }

    [Fact]
    public async Task A_key_in_place_of_an_agent_is_refused_with_what_to_do()
    {
        string folder = Folder(("Dockerfile", "FROM busybox\n"), ("key", "PRIVATE"));
        (await Run($"build --ssh default={folder}/key {folder}")).Fails().Complains("ssh-agent");
        (await Here($"build --ssh default {folder}", "unset SSH_AUTH_SOCK;")).Fails().Complains("SSH_AUTH_SOCK");
    }
}
