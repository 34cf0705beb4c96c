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
    /// <summary>Microseconds: the kernel's default.</summary>
    private const long CpuPeriod = 100_000;

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
            var flags = new BuildFlags(f);
            return (context, args) => Run(context, flags, args[0]);
        },
    };

    /// <summary>Builds: (1) context, (2) attachments, (3) build, (4) result.</summary>
    private static int Run(ClientContext context, BuildFlags flags, string source)
    {
        if (flags.Call.Value is not ("build" or "check")) throw new CliException($"invalid call method {flags.Call.Value} (build or check)");
        if (flags.Check || flags.Call.Value == "check")
        {
            return BuildCheck.Run(context, source, flags.File.Value, BuildArgs(flags.BuildArgs.Values).ToDictionary(p => p.Key, p => (string?)p.Value));
        }

        List<string> wanted = [.. flags.Outputs.Values, .. flags.Push ? ["type=registry"] : (string[])[]];
        if (flags.Load && wanted.Count > 0) wanted.Add("type=docker");
        var outputs = BuildOutput.Parse(wanted, flags.Tags.Values);
        var mode = BuildView.Mode(flags.Progress.Value, flags.Quiet);
        var query = Query(flags, mode);
        foreach (var name in outputs.ConvertAll(o => o.Name)) query.AddIfSet("t", name);

        // :: 1 context; an old ID must not stay behind a build that fails
        var tree = IsRemote(source) ? null : source == "-" ? BuildContext.FromStdin(flags.File.Value) : BuildContext.FromDirectory(source, flags.File.Value);
        foreach (var old in (ReadOnlySpan<string>)[flags.IdFile.Value, flags.MetadataFile.Value])
        {
            if (old.Length > 0 && Sys.TryStatAt(Sys.AT_FDCWD, Bytes.FromText(old), out var stat) == 0 && stat.IsRegular) File.Delete(old);
        }

        query.AddIfSet("remote", tree is null ? source : "").AddIfSet("dockerfile", tree?.Dockerfile ?? flags.File.Value)
            .Add("origin", ExplainCommand.Origin(source, flags.File.Value));
        var caches = new BuildCacheFiles(context);
        caches.Prepare(flags.CacheFrom.Values, flags.CacheTo.Values, query);

        // :: 2 attachments
        BuildAttachments.Send(context, flags, query);

        // :: 3 build; a quiet one says its output only when it fails
        using var response = tree is null
            ? context.Api.Send("POST", query.ToString(), headers: CredentialFile.HeaderForBuild())
            : LocalBuild.TrySend(context, query.ToString(), tree) ?? context.Api.SendStream("POST", query.ToString(), "application/x-tar", tree.Write, CredentialFile.HeaderForBuild());
        var toStdout = outputs.Exists(o => o.ToStdout);
        BuiltImage built;
        var cacheId = "";
        try
        {
            built = Follow(context, response.Body, mode, toStdout ? context.Error : context.Out, aux => cacheId = aux.Text("CacheID") is { Length: > 0 } id ? id : cacheId);
        }
        finally
        {
            caches.Finish(cacheId);
        }

        // :: 4 result
        if (mode == ProgressMode.Quiet && !toStdout) context.Line(built.Id);
        if (built.Id.Length == 0 && (flags.IdFile.Value + flags.MetadataFile.Value).Length + outputs.Count > 0)
        {
            throw new CliException("server did not provide an image ID" + (flags.IdFile.Value.Length > 0 ? ". Cannot write " + flags.IdFile.Value : ""));
        }

        List<string> names = [.. flags.Tags.Values, .. outputs.ConvertAll(o => o.Name).FindAll(name => name.Length > 0)];
        BuildOutput.Write(context, outputs, built, names);
        if (flags.IdFile.Value.Length > 0) File.WriteAllText(flags.IdFile.Value, built.Id);
        if (flags.MetadataFile.Value.Length > 0) File.WriteAllText(flags.MetadataFile.Value, BuildOutput.Metadata(built.Id, names));
        return 0;
    }

    /// <summary>Shows the build's progress to its end, and gives what it built.</summary>
    /// <param name="noteCache">Gets what is told beside the steps.</param>
    private static BuiltImage Follow(ClientContext context, Stream body, ProgressMode mode, TextWriter output, Action<JsonNode> noteCache)
    {
        var built = new BuiltImage("", false);
        if (mode is ProgressMode.Tty or ProgressMode.RawJson)
        {
            using var view = BuildView.Of(mode);
            ProgressStream.Read(body, view.Message, aux =>
            {
                if (!Note(aux) && aux.Text("CacheID").Length == 0) view.Status(aux);
            }, view.Fail);
            return built;
        }

        using var buffered = new StringWriter();
        var quiet = mode == ProgressMode.Quiet;
        try
        {
            ProgressStream.Show(body, quiet ? buffered : output, Terminal.Is(FdStream.StdoutFd), aux => Note(aux));
        }
        catch (CliException)
        {
            context.Error.Write(buffered.ToString());
            throw;
        }
        var printed = buffered.ToString().Trim();
        return printed.StartsWith("sha256:", StringComparison.Ordinal) && !printed.Contains('\n') ? built with { Id = printed } : built;

        bool Note(JsonNode aux)
        {
            noteCache(aux);
            if (aux.Text("ID") is not { Length: > 0 } id) return false;
            built = new(id, aux.Flag("IsNew"));
            return true;
        }
    }

    public static bool IsRemote(string source)
    {
        foreach (var start in (ReadOnlySpan<string>)["http://", "https://", "git://", "git@", "github.com/"])
        {
            if (source.StartsWith(start, StringComparison.Ordinal)) return true;
        }

        return false;
    }

    private static Query Query(BuildFlags flags, ProgressMode mode)
    {
        var query = new Query("/build");
        foreach (var tag in flags.Tags.Values) query.Add("t", tag);
        foreach (var stage in flags.NoCacheFilter.Values) query.Add("nocachefilter", stage);
        foreach (var right in flags.Allow.Values) query.Add("allow", right);
        foreach (var host in flags.AddHosts.Values) query.Add("extrahosts", host);
        query.AddIf(mode == ProgressMode.Quiet && flags.Outputs.Values.Count == 0, "q").AddIf(mode is ProgressMode.Tty or ProgressMode.RawJson, "status").AddIf(flags.NoCache, "nocache").Add("rm", flags.Remove ? "1" : "0").AddIf(flags.ForceRemove, "forcerm")
            .AddIf(flags.Pull, "pull").AddIfSet("target", flags.Target.Value).AddIfSet("networkmode", flags.Network.Value)
            .AddIfSet("platform", flags.Platform.Value).AddIf(flags.Squash, "squash").AddIfSet("cgroupparent", flags.CgroupParent.Value)
            .AddIf(flags.Explain, "explain").AddIf(flags.NoFileMemo, "hashalways").AddIfSet("verify", flags.Verify.Value).AddIfSet("cpusetcpus", flags.CpusetCpus.Value).AddIfSet("cpusetmems", flags.CpusetMems.Value);
        Number(query, "memory", flags.Memory.Value);
        Number(query, "memswap", flags.MemorySwap.Value);
        Number(query, "shmsize", flags.ShmSize.Value);
        Number(query, "cpushares", flags.CpuShares.Value);
        if (flags.Cpus.Value != 0 && (flags.CpuPeriod.Value | flags.CpuQuota.Value) != 0) throw new CliException("conflicting options: --cpus and --cpu-period or --cpu-quota");
        Number(query, "cpuperiod", flags.Cpus.Value != 0 ? CpuPeriod : flags.CpuPeriod.Value);
        Number(query, "cpuquota", flags.Cpus.Value != 0 ? flags.Cpus.Value * CpuPeriod / 1_000_000_000 : flags.CpuQuota.Value);
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
}
