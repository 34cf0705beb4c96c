using Sampan.Linux;
using Sampan.Runtime;
using Sampan.Store;

namespace Sampan.Engine.Containers;

/// <summary>Copies what an image has at a place into a new volume: owners, modes, links and attributes as they are.</summary>
internal static class VolumeFiller
{
    public static async Task FillAsync(OverlayRootfs overlay, string destination, string volume, string mountDirectory, CancellationToken cancel)
    {
        using var root = MergedRoot.View(overlay, mountDirectory);
        string source;
        try
        {
            source = root.Resolve(destination);
        }
        catch (SyscallException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            // The image has nothing there: the volume stays empty.
            return;
        }

        if (!Directory.Exists(source))
        {
            return;
        }

        var pipe = new System.IO.Pipelines.Pipe();
        var reading = ReadAsync();
        await TarTree.ExtractAsync(pipe.Reader.AsStream(), volume, "/", new ExtractOptions(), cancel);
        await reading;
        Files.CopyOwner(source, volume);

        async Task ReadAsync()
        {
            Exception? failure = null;
            try
            {
                await TarTree.WriteAsync(source, "/", pipe.Writer.AsStream(leaveOpen: true), new TarTreeOptions { Rename = "" }, cancel);
            }
            catch (Exception e)
            {
                failure = e;
            }

            await pipe.Writer.CompleteAsync(failure);
        }
    }
}
