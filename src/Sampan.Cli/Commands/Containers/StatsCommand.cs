using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Formatting;
using Sampan.Cli.Http;
using Sampan.Cli.Streams;
using Sampan.Cli.Templates;

namespace Sampan.Cli.Commands.Containers;

/// <summary><c>stats</c>.</summary>
internal static class StatsCommand
{
    private const int RefreshMs = 500;
    private const string Standard = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["Container"] = "CONTAINER",
        ["ID"] = "CONTAINER ID",
        ["Name"] = "NAME",
        ["CPUPerc"] = "CPU %",
        ["MemUsage"] = "MEM USAGE / LIMIT",
        ["MemPerc"] = "MEM %",
        ["NetIO"] = "NET I/O",
        ["BlockIO"] = "BLOCK I/O",
        ["PIDs"] = "PIDS",
    };

    public static Command Stats() => new()
    {
        Name = "stats",
        Summary = "Show what containers use, as it changes",
        Synopsis = "[OPTIONS] [CONTAINER...]",
        Spellings = ["container stats", "stats"],
        Setup = static f =>
        {
            var all = f.Switch("all", 'a', "Show all containers, not only running ones");
            var format = f.Format();
            var noStream = f.Switch("no-stream", "Show one sample and end");
            var noTrunc = f.NoTrunc();
            return (context, args) =>
            {
                var table = new Table(Standard, Headings, format.Value);
                var names = args.Count > 0 ? args : Running(context, all);
                return noStream ? Once(context, names, table, noTrunc) : Live(context, names, args.Count == 0, all, table, noTrunc);
            };
        },
    };

    private static List<string> Running(ClientContext context, bool all)
    {
        var names = new List<string>();
        foreach (var container in context.Api.GetJson(new Query("/containers/json").AddIf(all, "all").ToString()).Items()) names.Add(container.Text("Id"));
        return names;
    }

    private static int Once(ClientContext context, List<string> names, Table table, bool noTrunc)
    {
        var samples = new (string Name, JsonNode? Sample)[names.Count];
        var errors = new List<string>();
        // Each sample takes the daemon a second: ask for all at once.
        var threads = new List<Thread>();
        for (var i = 0; i < names.Count; i++)
        {
            var index = i;
            var thread = new Thread(() =>
            {
                try
                {
                    using var api = context.NewConnection();
                    samples[index] = (names[index], api.GetJson($"/containers/{Query.Escape(names[index])}/stats?stream=0"));
                }
                catch (CliException e)
                {
                    lock (errors) errors.Add(e.Message);
                }
            });
            thread.Start();
            threads.Add(thread);
        }

        foreach (var thread in threads) thread.Join();
        var rows = new List<Row>();
        foreach (var (name, sample) in samples)
        {
            if (sample is not null) rows.Add(RowOf(name, sample, noTrunc));
        }

        table.Print(context.Out, rows);
        if (errors.Count == 0) return 0;
        context.ErrorLine(string.Join('\n', errors));
        return 1;
    }

    private static int Live(ClientContext context, List<string> names, bool follow, bool all, Table table, bool noTrunc)
    {
        var samples = new Dictionary<string, JsonNode?>();
        void Watch(string name)
        {
            lock (samples)
            {
                if (!samples.TryAdd(name, null)) return;
            }

            new Thread(() => Follow(context, name, samples)) { IsBackground = true }.Start();
        }

        foreach (var name in names) Watch(name);
        while (true)
        {
            Thread.Sleep(RefreshMs);
            if (follow) foreach (var name in Running(context, all)) Watch(name);
            var rows = new List<Row>();
            lock (samples)
            {
                if (!follow && samples.Count == 0) return 0;
                foreach (var (name, sample) in samples)
                {
                    if (sample is not null) rows.Add(RowOf(name, sample, noTrunc));
                }
            }

            // Home, each line cleared to its end, then the rest of the screen.
            var text = new StringBuilder("\x1b[H").Append(table.Render(rows)).Replace("\n", "\x1b[K\n").Append("\x1b[J");
            context.Out.Write(text.ToString());
            context.Out.Flush();
        }
    }

    private static void Follow(ClientContext context, string name, Dictionary<string, JsonNode?> samples)
    {
        try
        {
            using var api = context.NewConnection();
            using var response = api.Get($"/containers/{Query.Escape(name)}/stats?stream=1");
            foreach (var sample in ProgressStream.Messages(response.Body))
            {
                lock (samples) samples[name] = sample;
            }
        }
        catch (Exception e) when (e is CliException or IOException or global::System.Net.Sockets.SocketException)
        {
            // Gone: it vanishes from the screen.
        }

        lock (samples) samples.Remove(name);
    }

    private static Row RowOf(string name, JsonNode sample, bool noTrunc)
    {
        var memory = sample.Child("memory_stats");
        double used = Memory(memory), limit = memory.Real("limit");
        var (received, sent) = Network(sample);
        var (read, written) = Block(sample);
        var percent = limit > 0 ? used / limit * 100 : 0;
        return new Row("*container.statsContext")
            .Field("Container", () => name)
            .Field("ID", () => noTrunc ? sample.Text("id") : PsCommand.Short(sample.Text("id")))
            .Field("Name", () => sample.Text("name").TrimStart('/'))
            .Field("CPUPerc", () => Percent(Cpu(sample)))
            .Field("MemUsage", () => $"{Units.HumanBinary(used)} / {Units.HumanBinary(limit)}")
            .Field("MemPerc", () => Percent(percent))
            .Field("NetIO", () => $"{Units.Human(received)} / {Units.Human(sent)}")
            .Field("BlockIO", () => $"{Units.Human(read)} / {Units.Human(written)}")
            .Field("PIDs", () => sample.Child("pids_stats").Number("current").ToString(CultureInfo.InvariantCulture));
    }

    private static string Percent(double value) => value.ToString("F2", CultureInfo.InvariantCulture) + "%";

    private static double Cpu(JsonNode sample)
    {
        var now = sample.Child("cpu_stats");
        var before = sample.Child("precpu_stats");
        var own = now.Child("cpu_usage").Real("total_usage") - before.Child("cpu_usage").Real("total_usage");
        var all = now.Real("system_cpu_usage") - before.Real("system_cpu_usage");
        var cpus = now.Real("online_cpus") is > 0 and var online ? online : now.Child("cpu_usage").Items("percpu_usage").Count;
        return own > 0 && all > 0 ? own / all * cpus * 100 : 0;
    }

    /// <summary>Without the page cache that could be dropped at once (cgroup v1 and v2 name it differently).</summary>
    private static double Memory(JsonNode? memory)
    {
        var usage = memory.Real("usage");
        var stats = memory.Child("stats");
        var inactive = stats.Real("total_inactive_file") is > 0 and var v1 ? v1 : stats.Real("inactive_file");
        return inactive < usage ? usage - inactive : usage;
    }

    private static (double Received, double Sent) Network(JsonNode sample)
    {
        double received = 0, sent = 0;
        foreach (var (_, network) in sample.Child("networks").Members())
        {
            received += network.Real("rx_bytes");
            sent += network.Real("tx_bytes");
        }

        return (received, sent);
    }

    private static (double Read, double Written) Block(JsonNode sample)
    {
        double read = 0, written = 0;
        foreach (var entry in sample.Child("blkio_stats").Items("io_service_bytes_recursive"))
        {
            if (entry.Text("op").StartsWith("r", StringComparison.OrdinalIgnoreCase)) read += entry.Real("value");
            else if (entry.Text("op").StartsWith("w", StringComparison.OrdinalIgnoreCase)) written += entry.Real("value");
        }

        return (read, written);
    }
}
