namespace Sampan.Runtime;

/// <summary>
/// Writes classic BPF from its end to its beginning. Jumps only go forward, so what an instruction jumps to is written, and its place known,
/// before the instruction itself; equal returns are shared. A label is an instruction's distance from the end.
/// </summary>
internal sealed class BpfAssembler
{
    public const ushort JumpEqual = 0x15, JumpGreaterOrEqual = 0x35, JumpGreater = 0x25;

    private const ushort LoadAbsolute = 0x20, JumpAlways = 0x05, AndImmediate = 0x54, ReturnValue = 0x06;

    /// <summary>Conditional jumps have eight bits; a few are left for what has to be put in between.</summary>
    private const int Reach = 250;

    private readonly List<ulong> _reversed = [];
    private readonly Dictionary<uint, int> _returns = [];

    public int Return(uint value)
    {
        if (!_returns.TryGetValue(value, out var label) || !IsNear(label))
        {
            _returns[value] = label = Write(ReturnValue, 0, 0, value);
        }

        return label;
    }

    /// <summary>Loads a word of struct seccomp_data, then goes on.</summary>
    public int Load(uint offset, int next) => WriteBefore(next, LoadAbsolute, offset);

    public int And(uint mask, int next) => WriteBefore(next, AndImmediate, mask);

    /// <summary>Compares the loaded word with a value.</summary>
    public int Branch(ushort comparison, uint value, int whenTrue, int whenFalse)
    {
        (whenTrue, whenFalse) = (Near(whenTrue), Near(whenFalse));
        return Write(comparison, (byte)Distance(whenTrue), (byte)Distance(whenFalse), value);
    }

    /// <summary>The program, beginning with what was written last.</summary>
    public ulong[] ToArray() => [.. Enumerable.Reverse(_reversed)];

    private int WriteBefore(int next, ushort code, uint k)
    {
        if (Distance(next) != 0)
        {
            Write(JumpAlways, 0, 0, (uint)Distance(next));
        }

        return Write(code, 0, 0, k);
    }

    private int Near(int label)
    {
        if (IsNear(label))
        {
            return label;
        }

        var target = _reversed[label];
        return (ushort)target == ReturnValue ? Return((uint)(target >> 32)) : Write(JumpAlways, 0, 0, (uint)Distance(label));
    }

    private bool IsNear(int label) => Distance(label) <= Reach;

    /// <summary>How many instructions the next one to be written would skip.</summary>
    private int Distance(int label) => _reversed.Count - label - 1;

    private int Write(ushort code, byte whenTrue, byte whenFalse, uint k)
    {
        _reversed.Add(code | (ulong)whenTrue << 16 | (ulong)whenFalse << 24 | (ulong)k << 32);
        return _reversed.Count - 1;
    }
}
