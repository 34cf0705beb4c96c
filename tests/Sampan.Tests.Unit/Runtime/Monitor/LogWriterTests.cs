using System.Text;
using System.Text.Json;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime.Monitor;

public sealed class LogWriterTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("sampan-log").FullName;

    private string LogPath => Path.Combine(_directory, "log");

    public void Dispose() => Directory.Delete(_directory, true);

    [Theory]
    [InlineData("hi\n", """hi\n""")]
    [InlineData("\n", """\n""")]
    [InlineData("no newline", "no newline")]
    [InlineData("""say "a\b" """, """say \"a\\b\" """)]
    [InlineData("<a&b>\t\r\u0001\u001b[0m\n", """\u003ca\u0026b\u003e\u0009\r\u0001\u001b[0m\n""")]
    [InlineData("ümlaut 漢 😀\u2028\u2029\n", """ümlaut 漢 😀\u2028\u2029\n""")]
    [InlineData("\u007f\n", "\u007f\\n")]
    public void Text_is_escaped_as_docker_does(string text, string expected) =>
        Assert.StartsWith($$"""{"log":"{{expected}}","stream":"stdout","time":"20""", Assert.Single(Entries(Encoding.UTF8.GetBytes(text))));

    [Theory]
    [InlineData(new byte[] { 0xff, (byte)'a', (byte)'\n' }, """\ufffda\n""")]
    [InlineData(new byte[] { 0xe6, 0xbc, (byte)'\n' }, """\ufffd\ufffd\n""")]
    [InlineData(new byte[] { 0xed, 0xa0, 0x80, (byte)'\n' }, """\ufffd\ufffd\ufffd\n""")]
    [InlineData(new byte[] { 0xc0, 0x80, (byte)'\n' }, """\ufffd\ufffd\n""")]
    public void Every_byte_that_is_not_utf8_becomes_a_replacement_character(byte[] text, string expected) =>
        Assert.StartsWith($$"""{"log":"{{expected}}","stream""", Assert.Single(Entries(text)));

    [Fact]
    public void A_character_cut_by_a_read_is_whole_in_the_log()
    {
        var text = Encoding.UTF8.GetBytes("漢字\n");
        var writer = new LogWriter(LogPath, 0, 1);
        foreach (var b in text)
        {
            writer.Write(1, [b]);
        }

        writer.Close();
        Assert.StartsWith("""{"log":"漢字\n","stream""", Assert.Single(File.ReadAllLines(LogPath)));
    }

    [Theory]
    [InlineData(16383, new[] { 16384 })]
    [InlineData(16384, new[] { 16384, 1 })]
    [InlineData(40000, new[] { 16384, 16384, 7233 })]
    public void Long_lines_are_split_at_16_KiB(int length, int[] parts)
    {
        var line = Encoding.UTF8.GetBytes(new string('x', length) + "\n");
        Assert.Equal(parts, Entries(line).Select(e => Log(e).Length));
        Assert.Equal(parts, Entries(line, step: 1000).Select(e => Log(e).Length));
        Assert.Equal(new string('x', length) + "\n", string.Concat(Entries(line, step: 4097).Select(Log)));
    }

    [Fact]
    public void All_parts_of_a_line_have_the_time_of_the_first()
    {
        var writer = new LogWriter(LogPath, 0, 1);
        writer.Write(1, new byte[16384]);
        Thread.Sleep(2);
        writer.Write(1, "rest"u8);
        Thread.Sleep(2);
        writer.Write(1, "\nnext\n"u8);
        writer.Close();
        var times = File.ReadAllLines(LogPath).Select(e => JsonDocument.Parse(e).RootElement.GetProperty("time").GetString()).ToArray();
        Assert.Equal(3, times.Length);
        Assert.Equal(times[0], times[1]);
        Assert.NotEqual(times[0], times[2]);
    }

    [Fact]
    public void Streams_do_not_mix_in_the_middle_of_a_line()
    {
        var writer = new LogWriter(LogPath, 0, 1);
        writer.Write(1, "out"u8);
        writer.Write(2, "err\n"u8);
        writer.Write(1, "put\nlast"u8);
        writer.Close();
        writer.Close();
        Assert.Equal(["err\n", "output\n", "last"], File.ReadAllLines(LogPath).Select(Log));
        Assert.Contains("\"stream\":\"stderr\"", File.ReadAllLines(LogPath)[0]);
    }

    [Fact]
    public void A_full_file_is_rotated_before_the_next_entry_and_the_oldest_is_dropped()
    {
        var writer = new LogWriter(LogPath, 200, 3);
        for (var i = 0; i < 20; i++)
        {
            writer.Write(1, Encoding.UTF8.GetBytes($"line {i}\n"));
        }

        writer.Close();
        Assert.Equal(["log", "log.1", "log.2"], Directory.GetFiles(_directory).Select(Path.GetFileName).Order());
        var kept = new[] { ".2", ".1", "" }.SelectMany(s => File.ReadAllLines(LogPath + s)).Select(Log).ToArray();
        Assert.Equal(Enumerable.Range(20 - kept.Length, kept.Length).Select(i => $"line {i}\n"), kept);
        Assert.All([".1", ".2"], s => Assert.InRange(new FileInfo(LogPath + s).Length, 200, 300));
    }

    [Fact]
    public void Many_entries_of_one_read_are_rotated_one_by_one()
    {
        var writer = new LogWriter(LogPath, 500, 100);
        writer.Write(1, Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 100).Select(i => $"line {i}\n"))));
        writer.Close();
        Assert.All(Directory.GetFiles(_directory), f => Assert.InRange(new FileInfo(f).Length, 1, 600));
        Assert.Equal(100, Directory.GetFiles(_directory).Sum(f => File.ReadAllLines(f).Length));
    }

    [Fact]
    public void With_one_file_a_full_one_is_emptied()
    {
        var writer = new LogWriter(LogPath, 200, 1);
        for (var i = 0; i < 10; i++)
        {
            writer.Write(1, Encoding.UTF8.GetBytes($"line {i}\n"));
        }

        writer.Close();
        Assert.Single(Directory.GetFiles(_directory));
        Assert.Equal("line 9\n", Log(File.ReadAllLines(LogPath)[^1]));
        Assert.InRange(new FileInfo(LogPath).Length, 1, 300);
    }

    [Fact]
    public void An_existing_log_is_continued()
    {
        Entries("one\n"u8.ToArray());
        Assert.Equal(["one\n", "two\n"], Entries("two\n"u8.ToArray(), fresh: false).Select(Log));
    }

    [Fact]
    public void Lines_that_the_disk_does_not_take_are_counted()
    {
        var writer = new LogWriter("/dev/full", 0, 1);
        writer.Write(1, "one\ntwo\n"u8);
        Assert.Equal(2, writer.LostLines);
        Assert.Contains("no space left on device", writer.LastError);
        writer.Close();
    }

    [Theory]
    [InlineData(0, "1970-01-01T00:00:00Z")]
    [InlineData(1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z")]
    [InlineData(1_700_000_000_100_000_000, "2023-11-14T22:13:20.1Z")]
    [InlineData(1_700_000_000_000_000_100, "2023-11-14T22:13:20.0000001Z")]
    [InlineData(-1, "1969-12-31T23:59:59.999999999Z")]
    public void Times_are_written_as_go_writes_them(long unixNanoseconds, string expected) => Assert.Equal(expected, Timestamp.Format(unixNanoseconds));

    private string[] Entries(byte[] output, int step = int.MaxValue, bool fresh = true)
    {
        if (fresh)
        {
            File.Delete(LogPath);
        }

        var writer = new LogWriter(LogPath, 0, 1);
        foreach (var part in output.Chunk(Math.Min(step, output.Length)))
        {
            writer.Write(1, part);
        }

        writer.Close();
        return File.ReadAllLines(LogPath);
    }

    private static string Log(string entry) => JsonDocument.Parse(entry).RootElement.GetProperty("log").GetString()!;
}
