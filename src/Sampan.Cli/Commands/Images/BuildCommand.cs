using System.Globalization;
using System.Text.Json.Nodes;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Registries;
using Sampan.Cli.Streams;
using Sampan.Linux;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>build</c>.</summary>
internal static class BuildCommand
{
    public static Command Build(string group = "Commands") => new()
    {
        Name = "build",
        Summary = "Build an image from a Dockerfile",
        Synopsis = "[OPTIONS] PATH | URL | -",
        Spellings = ["image build", "build", "builder build"],
        Arity = Arity.Exactly(1),
        Group = group,
        Children = static () => [ExplainCommand.Explain(), ContextCommand.Context()],
        Setup = static f =>
        {
            var flags = new Flags(f);
            return (context, args) => Run(context, flags, args[0]);
        },
    };

    /// <summary>Builds: (1) context, (2) send, (3) show, (4) result.</summary>
    private static int Run(ClientContext context, Flags flags, string source)
    {
        if (flags.Progress.Value is not ("auto" or "plain" or "tty" or "quiet" or "rawjson")) throw new CliException($"invalid progress mode {flags.Progress.Value}");
        if (flags.Call.Value is not ("build" or "check")) throw new CliException($"invalid call method {flags.Call.Value} (build or check)");
        if (flags.Check || flags.Call.Value == "check")
        {
            return BuildCheck.Run(context, source, flags.File.Value, BuildArgs(flags.BuildArgs.Values).ToDictionary(p => p.Key, p => (string?)p.Value));
        }

        var quiet = flags.Quiet || flags.Progress.Value == "quiet";
        var query = Query(flags, quiet);
        var remote = IsRemote(source);

        // :: 1 context; an old ID must not stay behind a build that fails
        var tree = remote ? null : source == "-" ? BuildContext.FromStdin(flags.File.Value) : BuildContext.FromDirectory(source, flags.File.Value);
        if (flags.IdFile.Value.Length > 0) File.Delete(flags.IdFile.Value);
        query.AddIfSet("remote", remote ? source : "").AddIfSet("dockerfile", tree?.Dockerfile ?? flags.File.Value)
            .Add("origin", ExplainCommand.Origin(source, flags.File.Value));
        var caches = new BuildCacheFiles(context);
        caches.Prepare(flags.CacheFrom.Values, flags.CacheTo.Values, query);

        // :: 2 send
        using var response = tree is null
            ? context.Api.Send("POST", query.ToString(), headers: CredentialFile.HeaderForBuild())
            : LocalBuild.TrySend(context, query.ToString(), tree) ?? context.Api.SendStream("POST", query.ToString(), "application/x-tar", tree.Write, CredentialFile.HeaderForBuild());

        // :: 3 show; a quiet build says its output only when it fails
        var (id, cacheId) = ("", "");
        using var buffered = new StringWriter();
        try
        {
            ProgressStream.Show(response.Body, quiet ? buffered : context.Out, Terminal.Is(FdStream.StdoutFd), aux =>
            {
                id = aux.Text("ID") is { Length: > 0 } built ? built : id;
                cacheId = aux.Text("CacheID") is { Length: > 0 } cache ? cache : cacheId;
            });
        }
        catch (CliException)
        {
            context.Error.Write(buffered.ToString());
            throw;
        }
        finally
        {
            caches.Finish(cacheId);
        }

        // :: 4 result
        if (quiet)
        {
            var printed = buffered.ToString().Trim();
            id = printed.StartsWith("sha256:", StringComparison.Ordinal) && !printed.Contains('\n') ? printed : id;
            context.Line(id);
        }

        if (flags.IdFile.Value.Length == 0) return 0;
        if (id.Length == 0) throw new CliException("server did not provide an image ID. Cannot write " + flags.IdFile.Value);
        File.WriteAllText(flags.IdFile.Value, id);
        return 0;
    }

    private static bool IsRemote(string source)
    {
        foreach (var start in (ReadOnlySpan<string>)["http://", "https://", "git://", "git@", "github.com/"])
        {
            if (source.StartsWith(start, StringComparison.Ordinal)) return true;
        }

        return false;
    }

    private static Query Query(Flags flags, bool quiet)
    {
        var query = new Query("/build");
        foreach (var tag in flags.Tags.Values) query.Add("t", tag);
        foreach (var stage in flags.NoCacheFilter.Values) query.Add("nocachefilter", stage);
        foreach (var host in flags.AddHosts.Values) query.Add("extrahosts", host);
        query.AddIf(quiet, "q").AddIf(flags.NoCache, "nocache").Add("rm", flags.Remove ? "1" : "0").AddIf(flags.ForceRemove, "forcerm")
            .AddIf(flags.Pull, "pull").AddIfSet("target", flags.Target.Value).AddIfSet("networkmode", flags.Network.Value)
            .AddIfSet("platform", flags.Platform.Value).AddIf(flags.Squash, "squash").AddIfSet("cgroupparent", flags.CgroupParent.Value)
            .AddIf(flags.Explain, "explain").AddIf(flags.NoFileMemo, "hashalways").AddIfSet("verify", flags.Verify.Value).AddIfSet("cpusetcpus", flags.CpusetCpus.Value).AddIfSet("cpusetmems", flags.CpusetMems.Value);
        Number(query, "memory", flags.Memory.Value);
        Number(query, "memswap", flags.MemorySwap.Value);
        Number(query, "shmsize", flags.ShmSize.Value);
        Number(query, "cpushares", flags.CpuShares.Value);
        Number(query, "cpuperiod", flags.CpuPeriod.Value);
        Number(query, "cpuquota", flags.CpuQuota.Value);
        if (flags.BuildArgs.Values.Count > 0) query.Add("buildargs", BuildArgs(flags.BuildArgs.Values).ToJsonString());
        if (flags.Labels.Values.Count > 0) query.Add("labels", ContainerRequest.Map(flags.Labels.Values).ToJsonString());
        if (flags.Ulimits.Values.Count > 0)
        {
            var limits = new JsonArray();
            foreach (var limit in flags.Ulimits.Values) limits.Add((JsonNode)OptionChecks.Ulimit(limit));
            query.Add("ulimits", limits.ToJsonString());
        }

        foreach (var option in flags.SecurityOpts.Values) query.Add("securityopt", option);
        return query;
    }

    /// <summary>A name alone takes its value from our environment, and is null when it has none there.</summary>
    private static JsonObject BuildArgs(List<string> values)
    {
        var args = new JsonObject();
        foreach (var value in values)
        {
            var at = value.IndexOf('=');
            args[at < 0 ? value : value[..at]] = at >= 0 ? value[(at + 1)..] : Environment.GetEnvironmentVariable(value);
        }

        return args;
    }

    private static void Number(Query query, string name, long value)
    {
        if (value != 0) query.Add(name, value.ToString(CultureInfo.InvariantCulture));
    }

    private sealed class Flags(FlagSet f)
    {
        public readonly ListFlag AddHosts = f.List("add-host", "Line for /etc/hosts (host:ip)", OptionChecks.ExtraHost);
        public readonly ListFlag BuildArgs = f.List("build-arg", "Value of an ARG (name=value), or the name of a variable of ours", OptionChecks.Env);
        public readonly ListFlag CacheFrom = f.List("cache-from", "Cache of other builds: IMAGE, type=registry,ref=NAME or type=local,src=DIR", type: "stringArray");
        public readonly ListFlag CacheTo = f.List("cache-to", "Where the cache goes, too: type=inline, type=registry,ref=NAME or type=local,dest=DIR (mode=max: of all stages)", type: "stringArray");
        public readonly ValueFlag<string> Call = f.Text("call", "What to do (\"build\", \"check\")", "build");
        public readonly ValueFlag<string> CgroupParent = f.Text("cgroup-parent", "Parent cgroup of RUN instructions");
        public readonly SwitchFlag Check = f.Switch("check", "Look through the Dockerfile and build nothing");
        public readonly SwitchFlag Compress = f.Switch("compress", "Send the context compressed");
        public readonly ValueFlag<long> CpuPeriod = f.Int("cpu-period", "Microseconds of a period of the CPU scheduler");
        public readonly ValueFlag<long> CpuQuota = f.Int("cpu-quota", "Microseconds of CPU time in a period");
        public readonly ValueFlag<long> CpuShares = f.Int("cpu-shares", 'c', "Relative weight of CPU time");
        public readonly ValueFlag<string> CpusetCpus = f.Text("cpuset-cpus", "CPUs to run on (0-3, 0,1)");
        public readonly ValueFlag<string> CpusetMems = f.Text("cpuset-mems", "Memory nodes to use (0-3, 0,1)");
        public readonly SwitchFlag ContentTrust = f.Switch("disable-content-trust", "Skip the verification of the image's signature", initial: true);
        public readonly SwitchFlag Explain = f.Switch("explain", "Say why a step is not found in the cache");
        public readonly ValueFlag<string> File = f.Text("file", 'f', "The Dockerfile, \"-\" for STDIN (default is \"PATH/Dockerfile\")");
        public readonly SwitchFlag ForceRemove = f.Switch("force-rm", "Remove intermediate containers also of a failed build");
        public readonly ValueFlag<string> IdFile = f.Text("iidfile", "Write the image's ID to this file");
        public readonly ValueFlag<string> Isolation = f.Text("isolation", "Isolation technology");
        public readonly ListFlag Labels = f.List("label", "Label of the image (key=value)", OptionChecks.Label);
        public readonly ValueFlag<long> Memory = f.Bytes("memory", 'm', "Limit of memory");
        public readonly ValueFlag<long> MemorySwap = f.SwapBytes("memory-swap", "Limit of memory and swap together, -1 for unlimited swap");
        public readonly ValueFlag<string> Network = f.Text("network", "Network of RUN instructions", "default");
        public readonly SwitchFlag NoCache = f.Switch("no-cache", "Do every step anew");
        public readonly ListFlag NoCacheFilter = f.Strings("no-cache-filter", "Do every step of these stages anew");
        public readonly SwitchFlag NoFileMemo = f.Switch("no-file-memo", "Read every file of the context, also one that has not been touched", initial: LocalBuild.HashAlways);
        public readonly ValueFlag<string> Platform = f.Text("platform", "Platform of the image (os[/arch[/variant]])");
        public readonly ValueFlag<string> Progress = f.Text("progress", "How to show the progress (\"auto\", \"plain\")", "auto");
        public readonly SwitchFlag Pull = f.Switch("pull", "Look for newer versions of the base images");
        public readonly SwitchFlag Quiet = f.Switch("quiet", 'q', "Only print the image's ID, or the output of a failure");
        public readonly SwitchFlag Remove = f.Switch("rm", "Remove intermediate containers of a build that succeeds", initial: true);
        public readonly ListFlag SecurityOpts = f.Strings("security-opt", "Security option");
        public readonly ValueFlag<long> ShmSize = f.Bytes("shm-size", '\0', "Size of /dev/shm");
        public readonly SwitchFlag Squash = f.Switch("squash", "Make one layer of the new ones");
        public readonly ListFlag Tags = f.List("tag", 't', "Name of the image, with a tag after a colon", OptionChecks.ReferenceFlag);
        public readonly ValueFlag<string> Target = f.Text("target", "Build up to this stage");
        public readonly ListFlag Ulimits = f.List("ulimit", "Resource limit (name=soft[:hard])", CheckUlimit, "ulimit", "[]");

        public readonly ValueFlag<string> Verify = f.Text("verify", "Build anew and show the first difference from this image");

        private static string CheckUlimit(string value)
        {
            OptionChecks.Ulimit(value);
            return value;
        }
    }
}
