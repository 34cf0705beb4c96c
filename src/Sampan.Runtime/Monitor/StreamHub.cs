using Sampan.Linux;

namespace Sampan.Runtime;

/// <summary>
/// The standard streams of one process: its input from whoever is attached, its output to the log and to everyone attached. A client
/// that does not read holds the process up once <see cref="ClientLimit"/> is pending, as a full pipe would; one that goes away does not.
/// </summary>
internal sealed class StreamHub(int stdinFd, (int Fd, byte Stream)[] outputs, bool terminal, LogWriter? log)
{
    private const int ClientLimit = 1 << 20, InputLimit = 256 * 1024;

    private readonly List<Connection> _clients = [];
    private readonly List<byte> _input = [];
    private readonly List<(int Fd, byte Stream)> _outputs = [.. outputs];
    private bool _inputEnds;

    public int StdinFd { get; private set; } = stdinFd;

    public IReadOnlyList<(int Fd, byte Stream)> Outputs => _outputs;

    public bool OutputEnded => _outputs.Count == 0;

    public bool MayReadOutput => _clients.TrueForAll(c => c.Pending < ClientLimit);

    public bool MayTakeInput => _input.Count < InputLimit;

    public bool HasInput => StdinFd >= 0 && (_input.Count > 0 || _inputEnds);

    /// <summary>The input is closed with the first client that ends its own.</summary>
    public bool StdinOnce { get; init; }

    public bool HasExited { get; set; }

    public int ExitCode { get; set; }

    /// <summary>After this tick count the output counts as ended, whoever still holds it.</summary>
    public long DrainDeadline { get; set; } = long.MaxValue;

    public void Attach(Connection client)
    {
        client.Hub = this;
        _clients.Add(client);
    }

    public void Detach(Connection client) => _clients.Remove(client);

    public void TakeInput(ReadOnlySpan<byte> data)
    {
        if (StdinFd >= 0 && !_inputEnds)
        {
            _input.AddRange(data);
            WriteInput();
        }
    }

    public void EndInput()
    {
        // On a terminal the end of input is a character, which the client sends; the master must stay open for the output.
        if (StdinOnce && !terminal)
        {
            _inputEnds = true;
            WriteInput();
        }
    }

    public void WriteInput()
    {
        var sent = 0;
        var input = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_input);
        while (sent < input.Length)
        {
            var written = Raw.Write(StdinFd, input[sent..]);
            if (written == -Errno.EAGAIN)
            {
                break;
            }

            // Nobody reads any more: what is left has no reader.
            sent = written < 0 ? input.Length : sent + written;
        }

        _input.RemoveRange(0, sent);
        if (_inputEnds && _input.Count == 0 && StdinFd >= 0)
        {
            Raw.Close(StdinFd);
            StdinFd = -1;
        }
    }

    /// <summary>Reads what one output has and passes it on.</summary>
    public void Pump(int fd, byte[] buffer)
    {
        var stream = _outputs.Find(o => o.Fd == fd).Stream;
        var read = Raw.Read(fd, buffer);
        if (read == -Errno.EAGAIN)
        {
            return;
        }

        // A terminal whose last process is gone answers EIO.
        if (read <= 0)
        {
            Drop(fd);
            return;
        }

        var data = buffer.AsSpan(0, read);
        log?.Write(stream, data);
        foreach (var client in _clients)
        {
            if (stream == 1 ? client.WantsStdout : client.WantsStderr)
            {
                client.SendFrame(stream, data);
            }
        }
    }

    /// <summary>The process and its output have ended: the exit code goes last, then the clients are let go.</summary>
    public void Finish()
    {
        Span<byte> code = stackalloc byte[4];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(code, ExitCode);
        foreach (var client in _clients)
        {
            client.CloseWhenSent = true;
            client.SendFrame(3, code);
        }

        _clients.Clear();
        foreach (var (fd, _) in _outputs.ToArray())
        {
            Drop(fd);
        }

        if (StdinFd >= 0 && !terminal)
        {
            Raw.Close(StdinFd);
        }

        StdinFd = -1;
        log?.Close();
    }

    private void Drop(int fd)
    {
        Raw.Close(fd);
        _outputs.RemoveAll(o => o.Fd == fd);
        StdinFd = StdinFd == fd ? -1 : StdinFd;
    }
}
