using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Sampan.Linux;

/// <summary>
/// An address and port of a network namespace that lead to sockets bound elsewhere in it: a program of BPF_PROG_TYPE_SK_LOOKUP (Linux 5.9,
/// Documentation/bpf/prog_sk_lookup.rst). The port itself stays free: programs may bind it, on all addresses too, and get whatever comes
/// for the others. No packet is changed, and the namespace's firewall has no part in it.
/// </summary>
public static unsafe partial class SocketSteering
{
    private const int BPF_MAP_CREATE = 0, BPF_MAP_UPDATE_ELEM = 2, BPF_PROG_LOAD = 5, BPF_LINK_CREATE = 28, BPF_MAP_TYPE_SOCKMAP = 15,
        BPF_PROG_TYPE_SK_LOOKUP = 30, BPF_SK_LOOKUP = 36, AttributeSize = 128;

    private const int map_lookup_elem = 1, sk_release = 86, sk_assign = 124, IPPROTO_TCP = 6, AF_INET = 2, BPF_PSEUDO_MAP_FD = 1;

    /// <summary>Fields of struct bpf_sk_lookup.</summary>
    private const int Family = 8, Protocol = 12, LocalAddress = 40, LocalPort = 60;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint command, nint attributes, nint size);

    /// <summary>Leads an IPv4 address and port of the calling thread's namespace to two sockets in it, for as long as the result is open.</summary>
    /// <param name="udp">A bound datagram socket. It answers from its own port, which a client that asked another one does not take.</param>
    /// <param name="tcp">A listening socket; what it accepts has the address and port that were asked for.</param>
    /// <exception cref="SyscallException">Of call <c>bpf</c>: the kernel cannot, or does not permit it.</exception>
    public static int Open(IPEndPoint at, int udp, int tcp)
    {
        int map = -1, program = -1, space = -1;
        try
        {
            map = Call(BPF_MAP_CREATE, "BPF_MAP_CREATE (sockets)", BPF_MAP_TYPE_SOCKMAP, sizeof(int), sizeof(int), 2);
            Put(map, 0, udp);
            Put(map, 1, tcp);
            program = Load(Program(at, map));
            space = FileDescriptor.Open("/proc/thread-self/ns/net", Raw.O_RDONLY);
            return Call(BPF_LINK_CREATE, "BPF_LINK_CREATE (socket look-up)", (uint)program, (uint)space, BPF_SK_LOOKUP);
        }
        finally
        {
            // The link holds the program, and that the map.
            foreach (var fd in (ReadOnlySpan<int>)[map, program, space])
            {
                if (fd >= 0)
                {
                    Raw.Close(fd);
                }
            }
        }
    }

    private static ulong[] Program(IPEndPoint at, int map)
    {
        var address = BinaryPrimitives.ReadInt32LittleEndian(at.Address.GetAddressBytes()); // as the field is loaded
        return
        [
            Code(0xbf, 6, 1), // 0: r6 = context
            Code(0x61, 2, 6, Family),
            Code(0x55, 2, 0, 22, AF_INET), // 2: another family: 25
            Code(0x61, 2, 6, LocalPort),
            Code(0x55, 2, 0, 20, at.Port), // 4: another port: 25
            Code(0x61, 2, 6, LocalAddress),
            Code(0x56, 2, 0, 18, address), // 6: another address, compared as 32 bits: 25
            Code(0x61, 2, 6, Protocol),
            Code(0xb7, 3, 0, 0, 0), // 8: r3 = 0, the datagram socket
            Code(0x55, 2, 0, 1, IPPROTO_TCP), // 9: not TCP: 11
            Code(0xb7, 3, 0, 0, 1), // 10: r3 = 1, the listener
            Code(0x63, 10, 3, -4), // 11: the key, on the stack
            Code(0x18, 1, BPF_PSEUDO_MAP_FD, 0, map),
            0, // 13: the second half of r1 = map
            Code(0xbf, 2, 10),
            Code(0x07, 2, 0, 0, -4), // 15: r2 = where the key is
            Code(0x85, 0, 0, 0, map_lookup_elem),
            Code(0x15, 0, 0, 7), // 17: none there: 25
            Code(0xbf, 7, 0), // 18: r7 = socket
            Code(0xbf, 1, 6),
            Code(0xbf, 2, 0),
            Code(0xb7, 3, 0), // 21: no flags
            Code(0x85, 0, 0, 0, sk_assign),
            Code(0xbf, 1, 7), // 23: and let go of it
            Code(0x85, 0, 0, 0, sk_release),
            Code(0xb7, 0, 0, 0, 1), // 25: SK_PASS
            Code(0x95, 0, 0),
        ];
    }

    private static void Put(int map, int key, int socket)
    {
        var attr = stackalloc ulong[AttributeSize / 8];
        new Span<ulong>(attr, AttributeSize / 8).Clear();
        (attr[0], attr[1], attr[2]) = ((uint)map, (ulong)&key, (ulong)&socket);
        Check(Syscall(Number, BPF_MAP_UPDATE_ELEM, (nint)attr, AttributeSize), $"BPF_MAP_UPDATE_ELEM (socket {key})");
    }

    private static int Load(ReadOnlySpan<ulong> instructions)
    {
        fixed (ulong* code = instructions)
        fixed (byte* license = "Apache-2.0\0"u8)
        {
            var attr = stackalloc ulong[AttributeSize / 8];
            new Span<ulong>(attr, AttributeSize / 8).Clear();
            attr[0] = BPF_PROG_TYPE_SK_LOOKUP | (ulong)instructions.Length << 32;
            attr[1] = (ulong)code;
            attr[2] = (ulong)license;
            ((uint*)attr)[17] = BPF_SK_LOOKUP; // expected_attach_type
            return Check(Syscall(Number, BPF_PROG_LOAD, (nint)attr, AttributeSize), "BPF_PROG_LOAD (socket look-up)");
        }
    }

    private static int Call(int command, string subject, uint a, uint b, uint c, uint d = 0)
    {
        var attr = stackalloc uint[AttributeSize / 4];
        new Span<uint>(attr, AttributeSize / 4).Clear();
        (attr[0], attr[1], attr[2], attr[3]) = (a, b, c, d);
        return Check(Syscall(Number, command, (nint)attr, AttributeSize), subject);
    }

    private static nint Number => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 280 : 321;

    private static int Check(nint result, string subject) =>
        result >= 0 ? (int)result : throw new SyscallException("bpf", subject, Marshal.GetLastPInvokeError());

    private static ulong Code(byte operation, int to, int from, short offset = 0, int value = 0) =>
        operation | (ulong)to << 8 | (ulong)from << 12 | (ulong)(ushort)offset << 16 | (ulong)(uint)value << 32;
}
