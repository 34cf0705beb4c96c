using Sampan.Build.Verification;
using Sampan.Linux;
using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Build;

/// <summary>The same input gives the same image, wherever, whenever and by however many workers it is built.</summary>
public sealed class ReproducibleTests
{
    private const string Dockerfile = """
        FROM base AS one
        COPY src /src
        RUN write /made 1
        FROM base AS two
        WORKDIR /work/dir
        RUN write /other 2
        FROM base
        COPY --from=one /src /made /one/
        COPY --from=two /other /
        ENV A=b
        """;

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Another_directory_data_root_and_day_give_the_same_digest(int parallelism)
    {
        var (first, second) = (await BuildAsync(1, DateTime.UtcNow), await BuildAsync(parallelism, DateTime.UtcNow.AddYears(-3)));
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task Whose_files_they_are_and_how_they_come_is_no_part_of_it()
    {
        var sent = await BuildAsync(2, DateTime.UtcNow);
        Assert.Equal(sent, await BuildAsync(8, DateTime.UtcNow.AddDays(-9), owner: 1234, isLive: true));
    }

    [Fact]
    public async Task The_first_difference_of_two_images_is_named()
    {
        using var f = new BuildFixture();
        await f.BaseAsync("base");
        var a = await f.BuildAsync("FROM base\nRUN write /same 1; write /x/file 1\nENV A=1");
        var b = await f.BuildAsync("FROM base\nRUN write /same 1; write /x/file 2\nENV A=1");
        var c = await f.BuildAsync("FROM base\nRUN write /same 1; write /x/file 1\nENV A=2");
        Assert.Null(ImageComparer.FirstDifference(f.Store, a, a));
        Assert.Equal("layer 2: the content of /x/file differs", ImageComparer.FirstDifference(f.Store, a, b));
        Assert.Equal("config.Env[1] is \"A=1\" there and \"A=2\" here", ImageComparer.FirstDifference(f.Store, a, c));
    }

    private static async Task<Digest> BuildAsync(int parallelism, DateTime time, uint owner = 0, bool isLive = false)
    {
        using var f = new BuildFixture();
        await f.BaseAsync("base");
        f.Files("src/a=A", "src/b/c=C", "src/link->a");
        foreach (var path in Directory.EnumerateFiles(f.Context, "*", SearchOption.AllDirectories))
        {
            File.SetLastWriteTimeUtc(path, time);
            Sys.ChownAt(Sys.AT_FDCWD, Bytes.FromText(path), owner, owner);
        }

        return (await f.BuildAsync(Dockerfile, r => r with { Parallelism = parallelism, ContextIsLive = isLive })).Id;
    }
}
