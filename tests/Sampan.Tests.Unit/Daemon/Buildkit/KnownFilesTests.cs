using System.Text;
using Sampan.Daemon.Buildkit.Session;
using Xunit;

namespace Sampan.Tests.Unit.Daemon.Buildkit;

/// <summary>What a kept copy of a client's directory has already, and what goes from it.</summary>
public sealed class KnownFilesTests
{
    private const uint Mode = 0x1A4, Directory = FileEntry.Directory | 0x1ED;
    private static readonly DateTimeOffset s_transfer = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly long s_longAgo = Nanoseconds(s_transfer.AddHours(-1)) + 1234;
    private static readonly FileEntry s_file = new("d/f") { Mode = Mode, Size = 5, ModifiedNanoseconds = s_longAgo };
    private static readonly FileEntry s_directory = new("d") { Mode = Directory, ModifiedNanoseconds = s_longAgo };

    public static TheoryData<string> Changes() => [.. s_changes.Keys];

    private static readonly Dictionary<string, Func<FileEntry, FileEntry>> s_changes = new()
    {
        ["size"] = file => file with { Size = 6 },
        ["time"] = file => file with { ModifiedNanoseconds = s_longAgo + 1 },
        ["mode"] = file => file with { Mode = Mode | 0x40 },
        ["owner"] = file => file with { Uid = 1 },
        ["group"] = file => file with { Gid = 1 },
        ["type"] = file => file with { Mode = FileEntry.Symlink | 0x1FF, Link = "x" },
        ["attribute"] = file => file with { Xattrs = new Dictionary<string, byte[]> { ["user.a"] = [1] } },
    };

    [Fact]
    public void What_has_not_changed_is_known() => AssertCompared([0, 1], [], Compared([s_directory, s_file], [s_directory, s_file]));

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_file_of_which_anything_changed_is_asked_for_and_its_directory_s_time_is_set_again(string what)
        => AssertCompared([], [], Compared([s_directory, s_file], [s_directory, s_changes[what](s_file)]));

    [Fact]
    public void What_the_client_has_no_more_is_removed()
        => AssertCompared([1], ["d/f"], Compared([s_directory, s_file, new("e")], [s_directory, new("e")]));

    [Fact]
    public void What_was_in_a_directory_that_is_a_file_now_goes_with_it()
        => AssertCompared([], [], Compared([s_directory, s_file], [new("d") { Mode = Mode, ModifiedNanoseconds = s_longAgo }]));

    [Fact]
    public void A_link_to_a_file_that_changed_is_made_again()
    {
        FileEntry a = new("a") { Mode = Mode, Size = 1, ModifiedNanoseconds = s_longAgo }, b = a with { Path = "b", Link = "a" };
        AssertCompared([0, 1], [], Compared([a, b], [a, b]));
        AssertCompared([], [], Compared([a, b], [a with { Size = 2 }, b]));
    }

    [Fact]
    public void A_file_that_changed_right_before_the_transfer_is_asked_for_again()
    {
        var fresh = s_file with { ModifiedNanoseconds = Nanoseconds(s_transfer) - 1_000_001 };
        AssertCompared([], [], Compared([s_directory, fresh], [s_directory, fresh]));
    }

    private static void AssertCompared(int[] same, string[] gone, (List<int> Same, List<string> Gone) compared)
    {
        Assert.Equal(same, compared.Same);
        Assert.Equal(gone, compared.Gone);
    }

    private static (List<int> Same, List<string> Gone) Compared(FileEntry[] before, FileEntry[] now)
    {
        var first = new KnownFiles([], _ => { }, s_transfer);
        Array.ForEach(before, first.Add);
        List<string> gone = [];
        var second = new KnownFiles(first.ToBytes().Span, paths => gone.AddRange(paths.Select(Encoding.Latin1.GetString)), s_transfer.AddHours(1));
        Array.ForEach(now, second.Add);
        return ([.. second.Compare().Order()], gone);
    }

    private static long Nanoseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds() * 1_000_000;
}
