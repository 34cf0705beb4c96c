using System.Globalization;
using Sampan.Cli.Archives;
using Sampan.Cli.Http;
using Sampan.Cli.Registries;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Images;

/// <summary>
/// The short way of a build whose daemon is on this machine: the context's directory is opened here and found by the daemon, which reads
/// what it needs. What stands in the way (TCP, another engine, a daemon that cannot see us) sends the archive instead.
/// </summary>
internal static class LocalBuild
{
    public const int NotReachable = 409;

    /// <summary>The environment's word on <c>--no-file-memo</c>: SAMPAN_FILE_MEMO=0.</summary>
    public static bool HashAlways => Environment.GetEnvironmentVariable("SAMPAN_FILE_MEMO") == "0";

    /// <summary>Sends the build; null when the directory cannot be shared.</summary>
    /// <param name="query">Without the context.</param>
    public static ApiResponse? TrySend(ClientContext context, string query, BuildContext tree)
    {
        if (tree.Directory is not { } directory || context.Api.Address.SocketPath is null || !context.Api.IsSampan
            || Sys.TryOpenAt(Sys.AT_FDCWD, Bytes.FromText(directory), Sys.O_PATH | Sys.O_DIRECTORY, 0, out var fd) != 0)
        {
            return null;
        }

        // The descriptor is left open: the daemon reads through it as long as the build lasts, which is as long as we do.
        var stat = Sys.Stat(fd);
        var local = string.Create(CultureInfo.InvariantCulture, $"{query}&contextfd={fd}&contextdev={stat.FileSystem}&contextino={stat.Inode}");
        try
        {
            return context.Api.SendStream("POST", local, "text/x-dockerfile", body => body.Write(tree.Text ?? []), CredentialFile.HeaderForBuild());
        }
        catch (DaemonException e) when (e.Status == NotReachable)
        {
            Sys.Close(fd);
            return null;
        }
    }
}
