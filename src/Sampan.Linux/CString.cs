using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Sampan.Linux;

/// <summary>
/// A NUL-terminated string for the kernel. Whatever a forked child will need is put into one before the fork, so that the child allocates
/// nothing. Its memory does not move and is the garbage collector's: a health check makes some dozens each time, for months.
/// </summary>
public readonly unsafe struct CString
{
    private readonly byte[]? _bytes;

    private CString(byte[] bytes) => _bytes = bytes;

    /// <summary>Valid as long as something refers to this string, see <see cref="KeepAlive"/>.</summary>
    internal byte* Pointer => _bytes is null ? null : (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_bytes));

    /// <summary>True for the absent string (a null pointer).</summary>
    public bool IsNull => _bytes is null;

    /// <summary>Copies text as UTF-8; lone surrogates of U+DC80..U+DCFF stand for raw bytes, see <see cref="Bytes"/>.</summary>
    public static CString Of(string? text) => text is null ? default : Of(Bytes.FromText(text));

    /// <summary>Copies bytes; they must not hold a NUL.</summary>
    public static CString Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Contains((byte)0))
        {
            throw new ArgumentException($"a string for the kernel holds a NUL byte: \"{Encoding.UTF8.GetString(bytes)}\"");
        }

        var memory = GC.AllocateUninitializedArray<byte>(bytes.Length + 1, pinned: true);
        bytes.CopyTo(memory);
        memory[^1] = 0;
        return new CString(memory);
    }

    /// <summary>The bytes without the NUL.</summary>
    public ReadOnlySpan<byte> Span => _bytes is null ? default : _bytes.AsSpan(0, _bytes.Length - 1);

    public override string ToString() => Bytes.ToText(Span);

    internal void KeepAlive() => GC.KeepAlive(_bytes);
}

/// <summary>A NULL-terminated array of strings, as execve(2) takes it; for a child, in which no collection happens.</summary>
public readonly unsafe struct CStringArray
{
    private readonly CString[] _strings;
    private readonly nint[] _pointers;

    public CStringArray(IReadOnlyList<string> strings)
    {
        _strings = [.. strings.Select(CString.Of)];
        _pointers = GC.AllocateArray<nint>(strings.Count + 1, pinned: true);
        for (var i = 0; i < _strings.Length; i++)
        {
            _pointers[i] = (nint)_strings[i].Pointer;
        }
    }

    internal byte** Pointer => (byte**)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_pointers));
}

/// <summary>Bytes that a child may read, at an address that stays.</summary>
public readonly unsafe struct NativeBlock
{
    private readonly byte[] _bytes;

    public NativeBlock(ReadOnlySpan<byte> data)
    {
        _bytes = GC.AllocateUninitializedArray<byte>(data.Length, pinned: true);
        data.CopyTo(_bytes);
    }

    /// <summary>In bytes.</summary>
    public int Length => _bytes.Length;

    internal nint Address => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_bytes));

    internal void KeepAlive() => GC.KeepAlive(_bytes);
}

/// <summary>
/// Names, arguments and environment values are bytes to the kernel. Text that is not UTF-8 is carried through .NET strings by mapping
/// each stray byte 0x80..0xFF to the lone surrogate U+DC80..U+DCFF (as Python's PEP 383 does), so that it comes out as it went in.
/// </summary>
public static class Bytes
{
    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
        {
            return Encoding.UTF8.GetString(bytes);
        }

        var text = new StringBuilder();
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var used) == System.Buffers.OperationStatus.Done)
            {
                text.Append(rune.ToString());
                bytes = bytes[used..];
            }
            else
            {
                text.Append((char)(0xDC00 + bytes[0]));
                bytes = bytes[1..];
            }
        }

        return text.ToString();
    }

    public static byte[] FromText(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uDC80', '\uDCFF'))
        {
            return Encoding.UTF8.GetBytes(text);
        }

        var bytes = new List<byte>(text.Length + 16);
        Span<byte> encoded = stackalloc byte[4];
        for (var i = 0; i < text.Length;)
        {
            if (Rune.TryGetRuneAt(text, i, out var rune))
            {
                bytes.AddRange(encoded[..rune.EncodeToUtf8(encoded)]);
                i += rune.Utf16SequenceLength;
            }
            else
            {
                bytes.Add((byte)(text[i++] & 0xFF));
            }
        }

        return [.. bytes];
    }
}
