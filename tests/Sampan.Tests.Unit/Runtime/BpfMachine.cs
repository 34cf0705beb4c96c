using System.Buffers.Binary;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>Classic BPF as the kernel interprets it for seccomp (linux/filter.h): what a filter says about one system call.</summary>
internal static class BpfMachine
{
    public const uint Errno = 0x50000, Allow = 0x7fff0000, X64 = 0xC000003E, X86 = 0x40000003;

    public static uint Run(ulong[] program, int number, ulong[]? arguments = null, uint architecture = X64)
    {
        var data = new byte[64]; // struct seccomp_data
        BinaryPrimitives.WriteInt32LittleEndian(data, number);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(4), architecture);
        for (var i = 0; i < (arguments?.Length ?? 0); i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(16 + 8 * i), arguments![i]);
        }

        uint a = 0;
        for (var pc = 0; ; pc++)
        {
            var (code, jt, jf, k) = ((ushort)program[pc], (byte)(program[pc] >> 16), (byte)(program[pc] >> 24), (uint)(program[pc] >> 32));
            switch (code)
            {
                case 0x20: // ld [k]
                    a = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan((int)k));
                    break;
                case 0x54: // and #k
                    a &= k;
                    break;
                case 0x05: // ja
                    pc += (int)k;
                    break;
                case 0x15 or 0x25 or 0x35: // jeq, jgt, jge
                    pc += (code == 0x15 ? a == k : code == 0x25 ? a > k : a >= k) ? jt : jf;
                    break;
                case 0x06: // ret #k
                    return k;
                default:
                    throw new InvalidOperationException($"instruction {pc}: code 0x{code:x}");
            }
        }
    }
}
