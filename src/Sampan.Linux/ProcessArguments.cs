using System.Globalization;

namespace Sampan.Linux;

/// <summary>The memory of this process that ps and /proc/PID/cmdline read its arguments from (proc_pid_stat(5), arg_start and arg_end).</summary>
public readonly unsafe struct ProcessArguments
{
    private readonly byte* _start;
    private readonly int _length;

    private ProcessArguments(byte* start, int length)
    {
        _start = start;
        _length = length;
    }

    /// <summary>Finds it; a child that is forked later has it at the same place.</summary>
    public static ProcessArguments Find()
    {
        var stat = File.ReadAllText("/proc/self/stat");

        // The second field, the name in parentheses, may hold spaces; these are the 48th and 49th.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var start = ulong.Parse(fields[45], CultureInfo.InvariantCulture);
        return new((byte*)start, (int)(ulong.Parse(fields[46], CultureInfo.InvariantCulture) - start));
    }

    /// <summary>Writes another line over them, as far as it fits; allocates nothing.</summary>
    public void Overwrite(CString line)
    {
        // The last byte is a NUL already, and stays one: the kernel takes any other for a line that goes on into the environment.
        var memory = new Span<byte>(_start, Math.Max(0, _length - 1));
        memory.Clear();
        var text = line.Span;
        text[..Math.Min(text.Length, memory.Length)].CopyTo(memory);
    }
}
