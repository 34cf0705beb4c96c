using System.Runtime.InteropServices;
using System.Text;

namespace Sampan.Linux;

/// <summary>
/// A NUL-terminated string in native memory. Whatever a forked child will need is put here before the fork, so that the child allocates
/// nothing. It is never freed: a monitor makes a few hundred and lives as long as its container.
/// </summary>
public readonly unsafe struct CString
{
    internal readonly byte* Pointer;

    private CString(byte* pointer) => Pointer = pointer;

    /// <summary>True for the absent string (a null pointer).</summary>
    public bool IsNull => Pointer == null;

    /// <summary>Copies text as UTF-8; lone surrogates of U+DC80..U+DCFF stand for raw bytes, see <see cref="Bytes"/>.</summary>
    public static CString Of(string? text) => text is null ? default : Of(Bytes.FromText(text));

    /// <summary>Copies bytes; they must not hold a NUL.</summary>
    public static CString Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Contains((byte)0))
        {
            throw new ArgumentException($"a string for the kernel holds a NUL byte: \"{Encoding.UTF8.GetString(bytes)}\"");
        }

        var memory = (byte*)NativeMemory.Alloc((nuint)bytes.Length + 1);
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        memory[bytes.Length] = 0;
        return new CString(memory);
    }

    /// <summary>The bytes without the NUL.</summary>
    public ReadOnlySpan<byte> Span => MemoryMarshal.CreateReadOnlySpanFromNullTerminated(Pointer);

    public override string ToString() => Pointer == null ? "" : Bytes.ToText(Span);
}

/// <summary>A NULL-terminated array of strings, as execve(2) takes it.</summary>
public readonly unsafe struct CStringArray
{
    internal readonly byte** Pointer;

    public CStringArray(IReadOnlyList<string> strings)
    {
        Pointer = (byte**)NativeMemory.Alloc((nuint)(strings.Count + 1) * (nuint)sizeof(byte*));
        for (var i = 0; i < strings.Count; i++)
        {
            Pointer[i] = CString.Of(strings[i]).Pointer;
        }

        Pointer[strings.Count] = null;
    }
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
