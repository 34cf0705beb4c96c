using System.Globalization;
using Sampan.Daemon.Options;

namespace Sampan.Daemon.Listening;

/// <summary>The file that names the running daemon. Removed on Dispose.</summary>
internal sealed class PidFile : IDisposable
{
    private readonly string _path;

    private PidFile(string path) => _path = path;

    /// <exception cref="SettingsException">A daemon lives there already, or the file cannot be written.</exception>
    public static PidFile Write(string path)
    {
        try
        {
            var old = File.Exists(path) ? File.ReadAllText(path).Trim() : "";
            if (int.TryParse(old, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && IsDaemon(pid))
            {
                throw new SettingsException($"process with PID {pid} is still running ({path})");
            }

            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            return new PidFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"cannot write pid file '{path}': {e.Message}");
        }
    }

    public void Dispose() => File.Delete(_path);

    /// <summary>Alive, another, and of the same program: numbers are used again, after a reboot above all.</summary>
    private static bool IsDaemon(int pid)
    {
        try
        {
            return pid != Environment.ProcessId && File.ReadAllText($"/proc/{pid}/comm") == File.ReadAllText("/proc/self/comm");
        }
        catch (IOException)
        {
            return false; // no such process
        }
    }
}
