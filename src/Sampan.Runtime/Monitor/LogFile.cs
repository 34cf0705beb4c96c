using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// A log file with its older ones: PATH is written, PATH.1 is the one before, and so on. It holds whole entries at any time: what a failed
/// write has left of one is cut off again.
/// </summary>
internal sealed class LogFile
{
    private readonly string _path;
    private readonly long _maxBytes;
    private readonly int _maxFiles;
    private int _fd;
    private long _size;

    /// <param name="path">Opened, and made when it is not there.</param>
    /// <param name="maxBytes">A file that has reached this size is rotated before the next entry; 0 or less is never.</param>
    /// <param name="maxFiles">How many files are kept, the current one included.</param>
    public LogFile(string path, long maxBytes, int maxFiles)
    {
        (_path, _maxBytes, _maxFiles) = (path, maxBytes, Math.Max(1, maxFiles));
        _fd = Open();
        _size = FileDescriptor.SeekEnd(_fd);
    }

    /// <summary>The next entry belongs to a new file.</summary>
    /// <param name="collected">Bytes that are to be written before it.</param>
    public bool IsFull(int collected) => _maxBytes > 0 && _size + collected >= _maxBytes;

    /// <summary>Appends whole entries.</summary>
    /// <exception cref="SyscallException">Nothing of them was written.</exception>
    public void Write(ReadOnlySpan<byte> entries)
    {
        if (IsFull(0))
        {
            Rotate();
        }

        var written = 0;
        while (written < entries.Length)
        {
            var result = Raw.Write(_fd, entries[written..]);
            if (result <= 0)
            {
                if (written > 0)
                {
                    FileDescriptor.Truncate(_fd, _size);
                }

                throw new SyscallException("write", $"'{_path}'", -result);
            }

            written += result;
        }

        _size += written;
    }

    public void Close()
    {
        Raw.Close(_fd);
        _fd = -1;
    }

    private int Open() => FileDescriptor.Open(_path, Raw.O_WRONLY | Raw.O_CREAT | FileDescriptor.O_APPEND, 0x1A0);

    private void Rotate()
    {
        if (_maxFiles == 1)
        {
            // A reader that follows notices that the file has become shorter.
            FileDescriptor.Truncate(_fd, 0);
            _size = 0;
            return;
        }

        for (var i = _maxFiles - 1; i > 0; i--)
        {
            var newer = i == 1 ? _path : $"{_path}.{i - 1}";
            if (File.Exists(newer))
            {
                FileDescriptor.Rename(newer, $"{_path}.{i}");
            }
        }

        var fd = Open();
        Raw.Close(_fd);
        (_fd, _size) = (fd, 0);
    }
}
