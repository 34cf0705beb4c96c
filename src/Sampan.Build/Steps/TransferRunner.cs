using Sampan.Build.Cache;
using Sampan.Build.Files;
using Sampan.Build.Planning;
using Sampan.Build.Sources;
using Sampan.Build.Stages;
using Sampan.Dockerfile.Ignore;
using Sampan.Dockerfile.Instructions;
using Sampan.Store;

namespace Sampan.Build.Steps;

/// <summary>COPY and ADD: no container, the files go straight into a new layer.</summary>
internal sealed class TransferRunner(StepContext context, TransferInstruction instruction)
{
    private readonly List<TempDirectory> _unpacked = [];

    /// <summary>The step's story: (1) what URLs hold, (2) key, (3) files, (4) layer.</summary>
    public async Task<StageState> RunAsync(CancellationToken cancel)
    {
        var expand = context.Expand(instruction);
        var request = Expanded(expand);
        var text = $"{instruction.Keyword} {Describe(request, expand)}";
        var source = SourceView();

        // :: 1 URLs
        using var remote = instruction is AddInstruction add ? new RemoteSources(context, add) : null;
        IReadOnlyList<CacheKeyPart> remoteParts = remote is null ? []
            : await remote.ResolveAsync(request.Sources, instruction is AddInstruction { Checksum: { } sum } ? expand(sum) : null, cancel);

        // :: 2 key — an archive counts as the file it is
        var local = remoteParts.Count == 0 ? request : request with { Sources = [.. request.Sources.Where(s => !RemoteSources.IsRemote(s))] };
        var transfer = TransferPlanner.Plan(local, source, context.View, _ => null);
        var key = new StepKey(context.Slot,
        [
            new("step", instruction.Keyword), .. context.ParentParts(), new("instruction", text), new("directory", context.State.WorkingDirectory),
            .. remoteParts, .. transfer.KeyParts(cancel),
        ]);
        if (context.Find(key) is { } result)
        {
            return context.Reuse(result, text);
        }

        // :: 3 files
        using var work = TempDirectory.Create(context.Session.Store.DataRoot, "copy");
        try
        {
            if (remoteParts.Count > 0)
            {
                remote!.IntoDirectory = TransferPlanner.IsIntoDirectory(request, context.View);
                request = request with { Remote = await remote.FetchAsync(cancel) };
            }

            if (remoteParts.Count > 0 || (request.Unpack && transfer.Items.Any(item => item.Source is { Stat.IsRegular: true } file && Archive.IsLikely(file))))
            {
                transfer = TransferPlanner.Plan(request, source, context.View, file => Unpack(file, cancel));
            }

            var upper = work.Make("upper", 0x1ED);
            var time = context.Session.Epoch ?? Math.Max(context.State.TimeSeconds, transfer.NewestSeconds);
            transfer.Write(upper, context.View, time, cancel);

            // :: 4 layer
            return await context.CommitAsync(key, upper, text, time, cancel);
        }
        finally
        {
            _unpacked.ForEach(directory => directory.Dispose());
        }
    }

    private TransferRequest Expanded(Func<string, string> expand)
    {
        var copy = instruction as CopyInstruction;
        return new()
        {
            Keyword = instruction.Keyword,
            Sources = [.. instruction.Sources.Select(expand)],
            Inline = [.. instruction.InlineFiles.Select(file => (file.Path, file.Expand ? ExpandText(file.Content) : file.Content))],
            Destination = expand(instruction.Destination),
            WorkingDirectory = context.State.WorkingDirectory,
            Chown = instruction.Chown is null ? null : expand(instruction.Chown),
            Chmod = instruction.Chmod is null ? null : expand(instruction.Chmod),
            Exclude = [.. instruction.Exclude.Select(expand)],
            Parents = copy is { Parents: true },
            FromContext = Files is not null,
            Ignore = Files?.Ignore ?? IgnoreMatcher.None,
            Unpack = instruction is AddInstruction { Unpack: not false },
            UnpackRemote = instruction is AddInstruction { Unpack: true },
        };
    }

    private string ExpandText(string content) =>
        Scope.ExpandText(context.Session.Plan.Model, instruction, content, context.State.Lookup);

    /// <summary>The context that the files come from; null for a stage or an image.</summary>
    private ContextFiles? Files => instruction is CopyInstruction { From: { } from } ? context.Sources[from].Files : context.Session.Files;

    private MergedView SourceView() => Files is { } files ? files.View
        : new(context.Sources[((CopyInstruction)instruction).From!].Layers) { Digests = context.Session.Context.View.Digests };

    private MergedView? Unpack(MergedNode file, CancellationToken cancel)
    {
        if (!Archive.IsLikely(file))
        {
            return null;
        }

        var directory = TempDirectory.Create(context.Session.Store.DataRoot, "archive");
        _unpacked.Add(directory);
        return Archive.Unpack(file, directory.Path, context.Session.Request.ArchiveLimits, cancel) ? new([directory.Path]) : null;
    }

    private string Describe(TransferRequest request, Func<string, string> expand)
    {
        List<string> words = [];
        words.AddRange(instruction is CopyInstruction { From: { } from } ? [$"--from={from}"] : []);
        words.AddRange(request.Chown is null ? [] : [$"--chown={request.Chown}"]);
        words.AddRange(request.Chmod is null ? [] : [$"--chmod={request.Chmod}"]);
        words.AddRange(instruction.Link ? ["--link"] : []);
        words.AddRange(request.Parents ? ["--parents"] : []);
        words.AddRange(request.Exclude.Select(pattern => $"--exclude={pattern}"));
        words.AddRange(instruction is AddInstruction { Unpack: { } unpack } ? [$"--unpack={(unpack ? "true" : "false")}"] : []);
        words.AddRange(instruction is AddInstruction { Checksum: { } checksum } ? [$"--checksum={expand(checksum)}"] : []);
        words.AddRange(instruction is AddInstruction { KeepGitDir: true } ? ["--keep-git-dir=true"] : []);
        return string.Join(' ', [.. words, .. request.Sources.Select(RemoteUrl.Redact), .. request.Inline.Select(file => $"<<{file.Name}"), request.Destination]);
    }
}
