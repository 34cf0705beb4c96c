using System.Text;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli;

/// <summary>What a command works with: the daemon, our streams, the time.</summary>
internal sealed class ClientContext(Func<ApiTransport> connect) : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private ApiTransport? _api;

    /// <summary>The daemon; made when first asked for.</summary>
    public ApiTransport Api => _api ??= connect();

    public TextWriter Out { get; } = new StreamWriter(new FdStream(FdStream.StdoutFd), Utf8, 4096);

    public TextWriter Error { get; } = new StreamWriter(new FdStream(FdStream.StderrFd), Utf8, 512) { AutoFlush = true };

    public DateTimeOffset Now { get; } = DateTimeOffset.UtcNow;

    public bool Debug { get; init; }

    /// <summary>Width for help pages.</summary>
    public static int Columns => Terminal.Size(FdStream.StdoutFd).Width is > 0 and var width ? width : 80;

    /// <summary>Another connection to the same daemon, for use beside the first.</summary>
    public ApiTransport NewConnection()
    {
        var api = connect();
        api.UseVersion(Api.Version);
        return api;
    }

    public void Line(string text)
    {
        Out.Write(text);
        Out.Write('\n');
    }

    public void ErrorLine(string text)
    {
        // What was printed so far comes first where both go to one terminal.
        Out.Flush();
        Error.Write(text + "\n");
    }

    public void Dispose()
    {
        _api?.Dispose();
        Out.Flush();
    }
}
