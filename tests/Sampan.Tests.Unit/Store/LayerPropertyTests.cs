using Sampan.Store;
using Xunit;

namespace Sampan.Tests.Unit.Store;

/// <summary>
/// Random layers of names that mean something to the store (whiteouts, dots, links through links): each is refused with a line that says
/// why, or is kept and comes back to the byte; what is outside of it stays as it is.
/// </summary>
public sealed class LayerPropertyTests : StoreFixture
{
    private const int Rounds = 300, MostEntries = 12;

    private static readonly string[] Parts =
        ["a", "b", "c", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.plnk", ".wh.", ".wh..", ".wh...", "..", ".", "", " ", "\n", "é",
        new('n', 255)];

    private static readonly TarEntryKind[] Kinds =
        [TarEntryKind.Regular, TarEntryKind.Regular, TarEntryKind.Directory, TarEntryKind.Directory, TarEntryKind.Symlink,
        TarEntryKind.HardLink];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_random_layer_is_refused_or_comes_back_and_touches_nothing_else(int seed)
    {
        var outside = Path.Combine(Scratch, "outside");
        Directory.CreateDirectory(outside);
        System.IO.File.WriteAllText(Path.Combine(outside, "a"), "kept");
        var random = new Random(seed);
        var below = Apply(Tar(Entry("a/", TarEntryKind.Directory), Entry("a/b", size: 10), Entry("b", TarEntryKind.Symlink, outside),
            Entry("c", size: 5)));
        var before = LayerDirectories();
        var kept = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var tar = Tar([.. Enumerable.Range(0, random.Next(1, MostEntries)).Select(_ => Random(random, outside))]);
            try
            {
                var layer = Apply(tar, below.ChainId);
                Assert.Equal(tar, TarOf(layer));
                kept++;
            }
            catch (TarException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }

        Assert.True(kept > Rounds / 20, $"only {kept} of {Rounds} layers were kept: the test says little");
        Assert.InRange(LayerDirectories(), before, before + kept);
        Assert.Equal([Path.Combine(outside, "a")], Directory.GetFileSystemEntries(outside));
        Assert.Equal("kept", System.IO.File.ReadAllText(Path.Combine(outside, "a")));
    }

    private static TarEntry Random(Random random, string outside)
    {
        var kind = Kinds[random.Next(Kinds.Length)];
        var target = random.Next(3) switch
        {
            0 => outside,
            1 => "../../../../../../../../" + outside,
            _ => Name(random),
        };
        var isLink = kind is TarEntryKind.Symlink or TarEntryKind.HardLink;
        return Entry(Name(random), kind, isLink ? target : "", kind == TarEntryKind.Regular ? random.Next(3) * 300 : 0,
            mode: kind == TarEntryKind.Directory ? 0x1EDu : 0x1A4u);
    }

    /// <summary>Mostly of names that are allowed.</summary>
    private static string Name(Random random) =>
        string.Join('/', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Parts[random.Next(random.Next(3) == 0 ? Parts.Length : 7)]));
}
