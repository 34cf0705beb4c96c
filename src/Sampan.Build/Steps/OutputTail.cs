using System.Text;

namespace Sampan.Build.Steps;

/// <summary>Remembers the last lines that a command wrote.</summary>
internal sealed class OutputTail
{
    private const int MaxBytes = 16 * 1024;
    private const int MaxLines = 20;
    private readonly byte[] _ring = new byte[MaxBytes];
    private long _written;

    public void Add(ReadOnlySpan<byte> data)
    {
        _written += data.Length - Math.Min(data.Length, MaxBytes);
        foreach (var b in data[Math.Max(0, data.Length - MaxBytes)..])
        {
            _ring[_written++ % MaxBytes] = b;
        }
    }

    public override string ToString()
    {
        var length = (int)Math.Min(_written, MaxBytes);
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
        {
            bytes[i] = _ring[(_written - length + i) % MaxBytes];
        }

        var lines = Encoding.UTF8.GetString(bytes).TrimEnd('\n').Split('\n');
        return string.Join('\n', lines.TakeLast(MaxLines));
    }
}
