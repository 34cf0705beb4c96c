using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>bpf(2), as far as the device controller of cgroup v2 needs it.</summary>
public static unsafe partial class Bpf
{
    private const int BPF_PROG_LOAD = 5, BPF_PROG_ATTACH = 8, BPF_PROG_TYPE_CGROUP_DEVICE = 15, BPF_CGROUP_DEVICE = 6, BPF_F_ALLOW_MULTI = 2;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint command, nint attributes, nint size);

    private static nint Number => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 280 : 321;

    /// <summary>Loads a program of eBPF instructions (8 bytes each) and attaches it to the cgroup directory.</summary>
    /// <exception cref="SyscallException">The verifier refused it, or BPF is not permitted here.</exception>
    public static void AttachDeviceProgram(int cgroupFd, ReadOnlySpan<ulong> instructions)
    {
        var license = CString.Of("Apache-2.0");
        var attr = stackalloc byte[128];
        new Span<byte>(attr, 128).Clear();
        nint program;
        fixed (ulong* code = instructions)
        {
            *(uint*)attr = BPF_PROG_TYPE_CGROUP_DEVICE;
            *(uint*)(attr + 4) = (uint)instructions.Length;
            *(ulong*)(attr + 8) = (ulong)code;
            *(ulong*)(attr + 16) = (ulong)license.Pointer;
            program = Syscall(Number, BPF_PROG_LOAD, (nint)attr, 128);
            if (program < 0)
            {
                throw new SyscallException("bpf", $"BPF_PROG_LOAD ({instructions.Length} instructions, cgroup device)", Marshal.GetLastPInvokeError());
            }
        }

        new Span<byte>(attr, 128).Clear();
        *(uint*)attr = (uint)cgroupFd;
        *(uint*)(attr + 4) = (uint)program;
        *(uint*)(attr + 8) = BPF_CGROUP_DEVICE;
        *(uint*)(attr + 12) = BPF_F_ALLOW_MULTI;
        var attached = Syscall(Number, BPF_PROG_ATTACH, (nint)attr, 128);
        var errno = Marshal.GetLastPInvokeError();
        Raw.Close((int)program);
        if (attached < 0)
        {
            throw new SyscallException("bpf", "BPF_PROG_ATTACH (cgroup device)", errno);
        }
    }
}
