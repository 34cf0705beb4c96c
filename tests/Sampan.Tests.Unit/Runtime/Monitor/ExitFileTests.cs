using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime.Monitor;

public sealed class ExitFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("sampan-exit").FullName;

    private string ExitPath => Path.Combine(_directory, "exit.json");

    public void Dispose() => Directory.Delete(_directory, true);

    [Fact]
    public void What_is_written_is_read_and_nothing_else_stays()
    {
        var info = new ExitInfo { ExitCode = 137, OomKilled = true, StartedAt = 5, FinishedAt = 1_700_000_000_123_456_700, Error = "why" };
        ExitFile.Write(ExitPath, info);
        ExitFile.Sync(ExitPath);
        Assert.Equal(info, ExitFile.Read(ExitPath));
        Assert.Equal([ExitPath], Directory.GetFiles(_directory));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"ExitCode\":1")]
    public void Half_a_file_counts_as_none(string content)
    {
        File.WriteAllText(ExitPath, content);
        Assert.Null(ExitFile.Read(ExitPath));
    }

    [Fact]
    public void No_file_is_none() => Assert.Null(MonitorClient.ReadExit(ExitPath));

    [Fact]
    public async Task A_run_directory_without_a_container_has_no_story() =>
        Assert.Null(await MonitorClient.SettleAsync(_directory, TestContext.Current.CancellationToken));
}
