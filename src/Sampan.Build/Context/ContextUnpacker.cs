using Sampan.Build.Files;
using Sampan.Store;

namespace Sampan.Build.Context;

/// <summary>Turns the tar that a client sends into a directory of the build's own.</summary>
public static class ContextUnpacker
{
    /// <summary>
    /// Unpacks a tar, compressed or not. On failure and cancellation nothing stays. Dispose the directory after the build.
    /// </summary>
    /// <exception cref="StoreException">The archive is damaged, hostile or beyond a limit.</exception>
    public static async Task<TempDirectory> UnpackAsync(Store.Store store, Stream tar, ApplyLimits? limits, CancellationToken cancel)
    {
        var directory = TempDirectory.Create(store.DataRoot, "context");
        try
        {
            await TarTree.ExtractAsync(tar, directory.Path, "/", new() { Limits = limits ?? ApplyLimits.Default }, cancel);
            return directory;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }
}
