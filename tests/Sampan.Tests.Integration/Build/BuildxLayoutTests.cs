using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Build;

/// <summary>
/// OCI layouts of buildx's client: caches, outputs and contexts that are directories of its own, which the daemon reads and writes by the session.
/// The daemon is the class's own: no image without a name is to be left.
/// </summary>
public sealed class BuildxLayoutTests(SharedDaemon own) : SampanBuildTests(own), IClassFixture<SharedDaemon>
{
    [Fact]
    public async Task A_directory_carries_the_cache_between_both_clients()
    {
        string image = "it", folder = Folder(("Dockerfile", $"FROM busybox AS a\nRUN cat /proc/sys/kernel/random/uuid >/f # {Guid.NewGuid()}\nFROM busybox\nCOPY --from=a /f /\nCMD cat /f\n"));
        string cache = $"{folder}/cache", from = $"--cache-from type=local,src={cache}", to = $"--cache-to type=local,dest={cache},mode=max";
        async Task<string> Made(Task<CommandResult> build)
        {
            (await build).Succeeds();
            string made = (await Run($"run --rm {image}")).Succeeds().Output;
            (await Run($"rmi {image}")).Succeeds();
            (await Run("builder prune -af --filter type=regular")).Succeeds();
            return made;
        }
        (await Docker($"buildx build {from} {folder}")).Succeeds().Complains("local cache import"); // there is none yet
        string first = await Made(Docker($"buildx build {to} -t {image} {folder}"));
        Assert.Equal(first, await Made(Docker($"buildx build {from} -t {image} {folder}")));
        Assert.Equal(first, await Made(Run($"build {from} {to} -t {image} {folder}")));
        Assert.Equal(first, await Made(Docker($"buildx build {from} -t {image} {folder}")));

        // A broken one is told, and the build goes on.
        foreach (string blob in Directory.GetFiles($"{cache}/blobs/sha256"))
            File.WriteAllText(blob, "{}");
        Assert.NotEqual(first, await Made(Docker($"buildx build --progress plain {from} -t {image} {folder}")));
        await NoLooseImages();
    }

    [Fact]
    public async Task A_layout_is_written_and_is_a_base()
    {
        string image = "it", folder = Folder(("Dockerfile", $"FROM busybox\nRUN echo {Guid.NewGuid()} >/file\n"),
            ("app/Dockerfile", "FROM base\nCOPY --from=base /file /copied\nCMD cat /file /copied\n"));
        (await Docker($"buildx build -o type=oci,tar=false,dest={folder}/layout {folder}")).Succeeds();
        (await Docker($"buildx build -o type=oci,tar=false,dest={folder}/named -t {image}:tagged {folder}")).Succeeds();
        foreach (string layout in (string[])["layout", "named:tagged"])
        {
            (await Docker($"buildx build --build-context base=oci-layout://{folder}/{layout} -t {image} {folder}/app")).Succeeds();
            CommandResult ran = (await Run($"run --rm {image}")).Succeeds();
            Assert.Equal((2, ran.Lines[0]), (ran.Lines.Length, ran.Lines[1]));
            (await Run($"build --no-cache --build-context base=oci-layout://{folder}/{layout} -t {image} {folder}/app")).Succeeds();
            Assert.Equal(ran.Lines, (await Run($"run --rm {image}")).Succeeds().Lines);
            (await Run($"rmi {image}")).Succeeds();
            (await Run("image prune -f")).Succeeds();
        }
        await NoLooseImages();

        // It ends; why is the client's to say, which may have closed the stream before.
        (await Docker($"buildx build -o type=tar,dest=/dev/full {folder}")).Fails();
    }

    /// <summary>What came to be on the way goes with the clients.</summary>
    private Task NoLooseImages() => Eventually.IsTrue(async () => (await Run("images -q --filter dangling=true")).Output.Length == 0, 20, () => "images without a name stay");
}
