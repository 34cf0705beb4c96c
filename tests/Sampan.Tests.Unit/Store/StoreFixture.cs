using System.Diagnostics;
using System.Text;
using Sampan.Linux;
using Sampan.Oci;
using Sampan.Store;
using Xunit;
using DataRoot = Sampan.Store.Store;

namespace Sampan.Tests.Unit.Store;

/// <summary>A data root of a test's own, and the tools to make and look at archives.</summary>
public abstract class StoreFixture : IDisposable
{
    private DataRoot? _store;

    protected StoreFixture() => Directory.CreateDirectory(Scratch);

    protected string Scratch { get; } = Path.Combine("/tmp", $"sampan-store-{Guid.NewGuid():N}");

    protected string Root => Path.Combine(Scratch, "root");

    protected DataRoot Store => _store ??= DataRoot.Open(Root);

    public void Dispose()
    {
        Close();
        TreeRemover.Remove(Scratch);
        GC.SuppressFinalize(this);
    }

    protected void Close()
    {
        _store?.Dispose();
        _store = null;
    }

    protected static string Sh(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["-ec", script, "sh", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = System.Diagnostics.Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{script}: {error.Result}");
        return output;
    }

    protected string File(string name, string script)
    {
        var path = Path.Combine(Scratch, name);
        Sh(script, path);
        return path;
    }

    /// <summary>A tar written entry by entry, with whatever a hostile one would have.</summary>
    internal static byte[] Tar(params TarEntry[] entries)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        foreach (var entry in entries)
        {
            TarHeader.Write(output, entry);
            System.Buffers.BuffersExtensions.Write(output, new byte[(entry.StoredSize + 511) / 512 * 512]);
        }

        System.Buffers.BuffersExtensions.Write(output, TarHeader.End);
        return output.WrittenSpan.ToArray();
    }

    internal static TarEntry Entry(string name, TarEntryKind kind = TarEntryKind.Regular, string link = "", long size = 0, uint mode = 0x1A4) => new()
    {
        Name = Bytes.FromText(name),
        Kind = kind,
        LinkName = Encoding.UTF8.GetBytes(link),
        Size = size,
        StoredSize = size,
        Mode = mode,
        Modified = new FileTime(1_700_000_000, 0),
    };

    protected Layer Apply(byte[] tar, ChainId? parent = null) =>
        Store.Layers.ApplyAsync(new MemoryStream(tar), parent, cancel: TestContext.Current.CancellationToken).GetAwaiter().GetResult();

    protected byte[] TarOf(Layer layer)
    {
        var output = new MemoryStream();
        Store.Layers.WriteTarAsync(layer, output, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        return output.ToArray();
    }

    protected ImageRecord Image(Layer? layer, string? name = null, string comment = "", Digest? parent = null)
    {
        var diffIds = layer is null ? [] : Store.Layers.Stack(layer.ChainId).Select(l => l.DiffId).Reverse().ToArray();
        var image = Store.Images.Put(new ImageConfig { Architecture = "amd64", Os = "linux", Comment = comment, RootFs = new RootFs { DiffIds = diffIds } }, parent);
        if (name is not null)
        {
            Store.Images.Tag(image.Id, ImageReference.Parse(name));
        }

        return Store.Images.Get(image.Id)!;
    }

    protected int LayerDirectories() => Directory.GetDirectories(Path.Combine(Root, "layers")).Length;
}
