using ZstdSharp;

namespace Sampan.Store;

/// <summary>
/// Writes a layer's recipe: what of the tar is not the content of files, with references to that content, so that the tar can be made again
/// byte for byte. A zstd stream of operations, each a byte and its numbers (LEB128):
/// <code>
/// 1 RAW  length, bytes          as they stand in the tar
/// 2 FILE length, path           names the file that the next DATA come from (below diff/)
/// 3 DATA offset, length         from the named file
/// 0 END  tar size, SHA-256      the whole tar's
/// </code>
/// The number of FILE operations before a file was replaced within its own layer is kept in <see cref="ShadowIndex"/>.
/// </summary>
internal sealed class RecipeWriter : ITarTrace, IDisposable
{
    public const byte OpEnd = 0, OpRaw = 1, OpFile = 2, OpData = 3;
    public static readonly byte[] Magic = "sampan recipe 1\n"u8.ToArray();

    private const int RawBytes = 64 * 1024;
    private const int Level = 1;

    private readonly FileStream _file;
    private readonly CompressionStream _zstd;
    private readonly byte[] _raw = new byte[RawBytes];
    private int _rawLength;

    public RecipeWriter(string path)
    {
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1);
        _zstd = new CompressionStream(_file, Level, RawBytes, leaveOpen: true);
        _zstd.Write(Magic);
    }

    /// <summary>FILE operations so far.</summary>
    public long Files { get; private set; }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_rawLength == RawBytes)
            {
                FlushRaw();
            }

            var n = Math.Min(bytes.Length, RawBytes - _rawLength);
            bytes[..n].CopyTo(_raw.AsSpan(_rawLength));
            _rawLength += n;
            bytes = bytes[n..];
        }
    }

    /// <summary>The content that follows comes from this file, whose path has no symlink in it.</summary>
    public void File(ReadOnlySpan<byte> path)
    {
        FlushRaw();
        Operation(OpFile, path.Length);
        _zstd.Write(path);
        Files++;
    }

    public void Data(long offset, long length) => Operation(OpData, offset, length);

    public void End(long tarSize, ReadOnlySpan<byte> sha256)
    {
        FlushRaw();
        Operation(OpEnd, tarSize);
        _zstd.Write(sha256);
        _zstd.Dispose();
        _file.Flush();
    }

    public void Dispose()
    {
        _zstd.Dispose();
        _file.Dispose();
    }

    private void FlushRaw()
    {
        if (_rawLength > 0)
        {
            Operation(OpRaw, _rawLength);
            _zstd.Write(_raw, 0, _rawLength);
            _rawLength = 0;
        }
    }

    private void Operation(byte operation, params ReadOnlySpan<long> numbers)
    {
        Span<byte> buffer = stackalloc byte[32];
        buffer[0] = operation;
        var length = 1;
        foreach (var number in numbers)
        {
            for (var rest = (ulong)number; ; rest >>= 7)
            {
                buffer[length++] = (byte)(rest < 0x80 ? rest : (rest & 0x7F) | 0x80);
                if (rest < 0x80)
                {
                    break;
                }
            }
        }

        _zstd.Write(buffer[..length]);
    }
}
