using System.IO.Compression;
using Sampan.Registry;
using Xunit;

namespace Sampan.Tests.Unit.Registry;

/// <summary>The compressor of pushes: any gzip reader reads it, and it always gives the same.</summary>
public sealed class ParallelGzipTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1 << 20)]
    [InlineData(3_500_001)]
    public async Task What_went_in_comes_out_whatever_the_pieces_and_the_bytes_are_the_same_each_time(int length)
    {
        var content = new byte[length];
        new Random(1).NextBytes(content.AsSpan(0, length / 2));
        var (first, second) = (await Compress(content, 100_000), await Compress(content, 7_777));
        Assert.Equal(first, second);
        var inflated = new MemoryStream();
        await using var gzip = new GZipStream(new MemoryStream(first), CompressionMode.Decompress);
        await gzip.CopyToAsync(inflated, TestContext.Current.CancellationToken);
        Assert.Equal(content, inflated.ToArray());
        Assert.True(first.Length < (length * 6 / 10) + 100);
    }

    /// <summary>Runs of all lengths that compress, and some that do not, so that blocks end before they are full.</summary>
    [Fact]
    public async Task What_changes_its_kind_comes_out_too_and_what_compresses_does()
    {
        var random = new Random(2);
        var content = new List<byte>();
        for (var i = 0; i < 60; i++)
        {
            var run = new byte[random.Next(1, 150_000)];
            if (i % 2 == 0)
            {
                random.NextBytes(run);
            }

            content.AddRange(run);
        }

        var dense = content.Count(b => b != 0);
        var packed = await Compress([.. content], 12_345);
        var inflated = new MemoryStream();
        await using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        await gzip.CopyToAsync(inflated, TestContext.Current.CancellationToken);
        Assert.Equal(content, inflated.ToArray());
        Assert.InRange(packed.Length, dense, dense * 1.1);
    }

    private static async Task<byte[]> Compress(byte[] content, int piece)
    {
        var output = new MemoryStream();
        var gzip = new ParallelGzip(output);
        for (var at = 0; at < content.Length; at += piece)
        {
            await gzip.WriteAsync(content.AsMemory(at, Math.Min(piece, content.Length - at)), CancellationToken.None);
        }

        await gzip.CompleteAsync(CancellationToken.None);
        return output.ToArray();
    }
}
