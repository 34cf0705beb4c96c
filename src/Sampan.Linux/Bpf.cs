using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>bpf(2), as far as the device controller of cgroup v2 needs it.</summary>
public static unsafe partial class Bpf
{
    private const int BPF_PROG_LOAD = 5, BPF_PROG_ATTACH = 8, BPF_PROG_DETACH = 9, BPF_PROG_GET_FD_BY_ID = 13, BPF_PROG_QUERY = 16;

    private const int BPF_PROG_TYPE_CGROUP_DEVICE = 15, BPF_CGROUP_DEVICE = 6, BPF_F_ALLOW_MULTI = 2, AttributeSize = 128, MaxPrograms = 64;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint command, nint attributes, nint size);

    private static nint Number => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 280 : 321;

    /// <summary>
    /// Makes a program of eBPF instructions (8 bytes each) the one device program of a cgroup directory. The new one is attached before the
    /// old ones go, so that there is no moment without any.
    /// </summary>
    /// <exception cref="SyscallException">The verifier refused it, or BPF is not permitted here.</exception>
    public static void SetDeviceProgram(int cgroupFd, ReadOnlySpan<ulong> instructions)
    {
        var program = Load(instructions);
        try
        {
            var old = Attached(cgroupFd);
            Attach(BPF_PROG_ATTACH, cgroupFd, program, BPF_F_ALLOW_MULTI);
            foreach (var id in old)
            {
                var fd = Call(BPF_PROG_GET_FD_BY_ID, $"program {id}", id);
                try
                {
                    Attach(BPF_PROG_DETACH, cgroupFd, fd, 0);
                }
                finally
                {
                    Raw.Close(fd);
                }
            }
        }
        finally
        {
            Raw.Close(program);
        }
    }

    private static int Load(ReadOnlySpan<ulong> instructions)
    {
        fixed (ulong* code = instructions)
        fixed (byte* license = "Apache-2.0\0"u8)
        {
            var attr = stackalloc ulong[AttributeSize / 8];
            new Span<ulong>(attr, AttributeSize / 8).Clear();
            attr[0] = BPF_PROG_TYPE_CGROUP_DEVICE | (ulong)instructions.Length << 32;
            attr[1] = (ulong)code;
            attr[2] = (ulong)license;
            return Check(Syscall(Number, BPF_PROG_LOAD, (nint)attr, AttributeSize), $"BPF_PROG_LOAD ({instructions.Length} instructions, cgroup device)");
        }
    }

    /// <summary>The ids of the device programs that are attached to the directory itself.</summary>
    private static uint[] Attached(int cgroupFd)
    {
        var ids = stackalloc uint[MaxPrograms];
        var attr = stackalloc ulong[AttributeSize / 8];
        new Span<ulong>(attr, AttributeSize / 8).Clear();
        attr[0] = (uint)cgroupFd | (ulong)BPF_CGROUP_DEVICE << 32;
        attr[2] = (ulong)ids;
        attr[3] = MaxPrograms;
        Check(Syscall(Number, BPF_PROG_QUERY, (nint)attr, AttributeSize), "BPF_PROG_QUERY (cgroup device)");
        return new ReadOnlySpan<uint>(ids, (int)(uint)attr[3]).ToArray();
    }

    private static void Attach(int command, int cgroupFd, int program, uint flags) => Call(
        command, command == BPF_PROG_ATTACH ? "BPF_PROG_ATTACH (cgroup device)" : "BPF_PROG_DETACH (cgroup device)", (uint)cgroupFd, (uint)program, BPF_CGROUP_DEVICE, flags);

    private static int Call(int command, string subject, uint a, uint b = 0, uint c = 0, uint d = 0)
    {
        var attr = stackalloc uint[AttributeSize / 4];
        new Span<uint>(attr, AttributeSize / 4).Clear();
        (attr[0], attr[1], attr[2], attr[3]) = (a, b, c, d);
        return Check(Syscall(Number, command, (nint)attr, AttributeSize), subject);
    }

    private static int Check(nint result, string subject) =>
        result >= 0 ? (int)result : throw new SyscallException("bpf", subject, Marshal.GetLastPInvokeError());
}
