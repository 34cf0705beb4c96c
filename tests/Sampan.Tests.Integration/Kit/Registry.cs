using System.Text.RegularExpressions;

namespace Sampan.Tests.Integration.Kit;

/// <summary>Debian's docker-registry on a <see cref="Machine"/>, with a folder of its own; it ends with the machine.</summary>
public sealed partial class Registry : IAsyncDisposable
{
    private const int FirstPort = 5000;

    private static int s_count;

    private readonly Running _process;

    private Registry(Running process, string address, string folder) => (_process, Address, Folder) = (process, address, folder);

    /// <summary><c>ADDRESS:PORT</c>, the domain of images' names.</summary>
    public string Address { get; }

    /// <summary>Where it keeps blobs and manifests.</summary>
    public string Folder { get; }

    /// <summary>Starts one and waits until it listens.</summary>
    /// <param name="ip">An address of the machine; the port is one that no other test uses.</param>
    /// <param name="http">More lines below <c>http:</c>, as for TLS.</param>
    /// <param name="more">More sections of the configuration.</param>
    public static async Task<Registry> StartAsync(Machine machine, string ip = "127.0.0.1", string http = "", string more = "")
    {
        int number = Interlocked.Increment(ref s_count), port = FirstPort + number;
        string folder = Path.Combine(machine.Folder, $"registry-{number}");
        Directory.CreateDirectory(folder);
        string config = Path.Combine(folder, "config.yml");
        await File.WriteAllTextAsync(config, $$$"""
            version: 0.1
            log: {accesslog: {disabled: false}, level: info}
            storage: {filesystem: {rootdirectory: {{{folder}}}/data}, delete: {enabled: true}}
            http:
              addr: {{{ip}}}:{{{port}}}
              secret: of-the-tests
            {{{http}}}
            {{{more}}}

            """);
        var process = new Running(machine.Inside(Path.Combine(Subject.PeersBin, "docker-registry"), "serve", config));
        await Eventually.IsTrue(() => process.HasExited || process.ErrorSoFar.Contains("listening on", StringComparison.Ordinal), 30,
            () => $"docker-registry listens:\n{process.ErrorSoFar}");
        return process.HasExited ? throw new InvalidOperationException($"docker-registry does not start: {process.ErrorSoFar}")
            : new Registry(process, $"{ip}:{port}", folder);
    }

    /// <summary>How often a path was asked for with a method.</summary>
    public int Count(string method, string path) =>
        Requests().Count(line => line.StartsWith($"{method} {path} ", StringComparison.Ordinal));

    /// <summary>All requests, as <c>GET /v2/ HTTP/1.1" 200</c>.</summary>
    public IEnumerable<string> Requests() => AccessLine().Matches(_process.OutputSoFar + _process.ErrorSoFar)
        .Select(m => m.Groups[1].Value);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    [GeneratedRegex("\"((?:GET|HEAD|POST|PUT|PATCH|DELETE) [^ ]+ HTTP/1.[01]\" [0-9]+)")]
    private static partial Regex AccessLine();
}
