using Sampan.Build.Cache;
using Sampan.Build.Files;
using Sampan.Build.Planning;
using Sampan.Build.Stages;
using Sampan.Dockerfile.Ignore;
using Sampan.Dockerfile.Instructions;

namespace Sampan.Build.Steps;

/// <summary>COPY and ADD: no container, the files go straight into a new layer.</summary>
internal sealed class TransferRunner(StepContext context, TransferInstruction instruction)
{
    private readonly List<TempDirectory> _unpacked = [];

    public async Task<StageState> RunAsync(CancellationToken cancel)
    {
        RefuseWhatIsMissing();
        var expand = context.Expand(instruction);
        var request = Expanded(expand);
        var text = $"{instruction.Keyword} {Describe(request)}";
        var source = SourceView();

        // :: 1 key — an archive counts as the file it is
        var transfer = TransferPlanner.Plan(request, source, context.View, _ => null);
        var key = new StepKey(context.Slot,
        [
            new("step", instruction.Keyword), .. context.ParentParts(), new("instruction", text), new("directory", context.State.WorkingDirectory),
            .. transfer.KeyParts(cancel),
        ]);
        if (context.Find(key) is { } result)
        {
            return context.Reuse(result, text);
        }

        // :: 2 write
        using var work = TempDirectory.Create(context.Session.Store.DataRoot, "copy");
        try
        {
            if (request.Unpack && transfer.Items.Any(item => item.Source is { Stat.IsRegular: true } file && Archive.IsLikely(file)))
            {
                transfer = TransferPlanner.Plan(request, source, context.View, file => Unpack(file, cancel));
            }

            var upper = work.Make("upper", 0x1ED);
            var time = context.Session.Epoch ?? Math.Max(context.State.TimeSeconds, transfer.NewestSeconds);
            transfer.Write(upper, context.View, time, cancel);

            // :: 3 layer
            return await context.CommitAsync(key, upper, text, time, cancel);
        }
        finally
        {
            _unpacked.ForEach(directory => directory.Dispose());
        }
    }

    private void RefuseWhatIsMissing()
    {
        if (instruction is AddInstruction add)
        {
            var remote = add.Sources.FirstOrDefault(IsRemote);
            var missing = remote is not null ? $"ADD of '{remote}'" : add.Checksum is not null ? "ADD --checksum" : add.KeepGitDir ? "ADD --keep-git-dir" : null;
            if (missing is not null)
            {
                throw new BuildException(BuildErrorKind.NotSupported, $"not supported yet: {missing}");
            }
        }
    }

    private static bool IsRemote(string source) => source.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
        || source.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || source.StartsWith("git@", StringComparison.Ordinal)
        || source.StartsWith("git://", StringComparison.Ordinal) || source.StartsWith("ssh://", StringComparison.Ordinal);

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
            FromContext = copy?.From is null,
            Ignore = copy?.From is null ? context.Session.Context.Ignore : IgnoreMatcher.None,
            Unpack = instruction is AddInstruction { Unpack: not false },
        };
    }

    private string ExpandText(string content) =>
        Scope.ExpandText(context.Session.Plan.Model, instruction, content, context.State.Lookup);

    private MergedView SourceView() => instruction is CopyInstruction { From: { } from }
        ? new(context.Sources[from].Layers) { Digests = context.Session.Context.View.Digests } : context.Session.Context.View;

    private MergedView? Unpack(MergedNode file, CancellationToken cancel)
    {
        if (!Archive.IsLikely(file))
        {
            return null;
        }

        var directory = TempDirectory.Create(context.Session.Store.DataRoot, "archive");
        _unpacked.Add(directory);
        return Archive.Unpack(file, directory.Path, cancel) ? new([directory.Path]) : null;
    }

    private string Describe(TransferRequest request)
    {
        List<string> words = [];
        words.AddRange(instruction is CopyInstruction { From: { } from } ? [$"--from={from}"] : []);
        words.AddRange(request.Chown is null ? [] : [$"--chown={request.Chown}"]);
        words.AddRange(request.Chmod is null ? [] : [$"--chmod={request.Chmod}"]);
        words.AddRange(instruction.Link ? ["--link"] : []);
        words.AddRange(request.Parents ? ["--parents"] : []);
        words.AddRange(request.Exclude.Select(pattern => $"--exclude={pattern}"));
        words.AddRange(instruction is AddInstruction { Unpack: { } unpack } ? [$"--unpack={(unpack ? "true" : "false")}"] : []);
        return string.Join(' ', [.. words, .. request.Sources, .. request.Inline.Select(file => $"<<{file.Name}"), request.Destination]);
    }
}
