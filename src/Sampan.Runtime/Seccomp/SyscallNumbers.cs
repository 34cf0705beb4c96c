using System.Runtime.InteropServices;

namespace Sampan.Runtime;

/// <summary>System call numbers by name, of Linux 6.17. From 424 on all architectures share them.</summary>
internal static partial class SyscallNumbers
{
    private static readonly Dictionary<string, Dictionary<string, int>> Loaded = [];

    /// <summary>SCMP_ARCH_* of this machine.</summary>
    public static string Native => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64";

    /// <summary>The numbers of an architecture (SCMP_ARCH_*).</summary>
    /// <exception cref="ArgumentException">There is no table for it.</exception>
    public static IReadOnlyDictionary<string, int> Of(string architecture)
    {
        lock (Loaded)
        {
            if (!Loaded.TryGetValue(architecture, out var numbers))
            {
                Loaded[architecture] = numbers = Load(architecture switch
                {
                    "SCMP_ARCH_X86_64" => X64,
                    "SCMP_ARCH_X86" => X86,
                    "SCMP_ARCH_AARCH64" => Arm64,
                    _ => throw new ArgumentException($"seccomp: no table of system calls for \"{architecture}\""),
                });
            }

            return numbers;
        }
    }

    private static Dictionary<string, int> Load((int First, string Names)[] runs)
    {
        var numbers = new Dictionary<string, int>(512);
        foreach (var (first, names) in runs)
        {
            var number = first;
            foreach (var name in names.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            {
                numbers.Add(name, number++);
            }
        }

        return numbers;
    }
}
