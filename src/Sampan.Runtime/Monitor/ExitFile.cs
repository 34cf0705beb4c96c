using System.Text.Json;
using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>exit.json: the memory of an exit code that no daemon was there to hear.</summary>
internal static class ExitFile
{
    /// <summary>What the file says; null when there is none, or one that a power failure has left half written.</summary>
    public static ExitInfo? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), MonitorJson.Default.ExitInfo);
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Writes the file in one step: a reader sees all of it or nothing. It survives the process at once, a power failure after <see cref="Sync"/>.</summary>
    public static void Write(string path, ExitInfo info)
    {
        var temporary = path + ".tmp";
        var fd = FileDescriptor.Open(temporary, Raw.O_WRONLY | Raw.O_CREAT | Raw.O_TRUNC, 0x180);
        try
        {
            ReadOnlySpan<byte> rest = JsonSerializer.SerializeToUtf8Bytes(info, MonitorJson.Default.ExitInfo);
            while (!rest.IsEmpty)
            {
                var written = Raw.Write(fd, rest);
                rest = written > 0 ? rest[written..] : throw new SyscallException("write", $"'{temporary}'", -written);
            }
        }
        finally
        {
            Raw.Close(fd);
        }

        FileDescriptor.Rename(temporary, path);
    }

    /// <summary>Makes the file and its name last through a power failure.</summary>
    public static void Sync(string path)
    {
        foreach (var name in (ReadOnlySpan<string>)[path, Path.GetDirectoryName(path)!])
        {
            var fd = FileDescriptor.Open(name, Raw.O_RDONLY);
            try
            {
                FileDescriptor.Sync(fd);
            }
            finally
            {
                Raw.Close(fd);
            }
        }
    }
}
