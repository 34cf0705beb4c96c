using System.Text;

namespace Sampan.Build.Progress;

/// <summary>
/// The text of Docker's classic builder. It has one voice, so the lines of stages that run in parallel are held back until the stages
/// before them are done; a stage's own lines come at once when it is its turn.
/// </summary>
/// <param name="write">Takes text for the client, in order.</param>
public sealed class ClassicProgress(Action<ReadOnlyMemory<byte>> write) : IBuildProgress
{
    private const int Head = -1;

    /// <summary>Of a stage that has to wait so much is kept, from the end: a command may write without end.</summary>
    private const int HeldBytes = 1 << 20;

    private readonly SortedDictionary<int, Held> _held = [];
    private readonly SortedDictionary<int, int> _left = []; // stage → instructions that are not finished yet
    private int _speaking = Head;

    /// <summary>Says why a step was not found in the cache.</summary>
    public bool Explain { get; init; }

    public void Report(BuildEvent what)
    {
        switch (what)
        {
            case StepStarted { Step: { Number: { } number } step }:
                Say(step.Stage, $"Step {number}/{step.Total} : {step.Text}\n");
                break;
            case TriggersFound { Count: var count, From: var from }:
                Say(from.Stage, count == 1 ? "# Executing 1 build trigger\n" : $"# Executing {count} build triggers\n");
                break;
            case StepLookedUp { Cache.IsHit: true, Step: var step }:
                Say(step.Stage, " ---> Using cache\n");
                break;
            case StepLookedUp { Cache: { IsHit: false } cache, Step: var step } when Explain:
                Say(step.Stage, $" ---> Rebuilt: {string.Join(", ", cache.Reasons)}\n");
                break;
            case StepRunning { Step: var step, ContainerId: var id }:
                Say(step.Stage, $" ---> Running in {id[..12]}\n");
                break;
            case StepOutput { Step: var step, Data: var data }:
                Say(step.Stage, data);
                break;
            case StepContainerRemoved { Step: var step, ContainerId: var id }:
                Say(step.Stage, $" ---> Removed intermediate container {id[..12]}\n");
                break;
            case StepFinished { Step: var step, ImageId: var image }:
                Say(step.Stage, step.Stage == Head ? "" : $" ---> {image?.Short}\n");
                break;
            case StageFinished { Stage: var stage }:
                _left[stage] = 0;
                Advance();
                break;
            case StepFailed { Step: var step }:
                Flush(step.Stage); // what the failing step said must not stay behind
                break;
            case BuildWarning { Text: var text }:
                Say(_speaking, $"[Warning] {text}\n");
                break;
            case BuildPlanned { StageNumbers: var stages }:
                foreach (var stage in stages)
                {
                    _left[stage] = 1;
                }

                Advance();
                break;
            case BuildFinished { ImageId: var image, Tags: var tags }:
                Say(_speaking, $"Successfully built {image.Short}\n" + string.Concat(tags.Select(tag => $"Successfully tagged {tag}\n")));
                break;
        }
    }

    private void Say(int stage, string text) => Say(stage, Encoding.UTF8.GetBytes(text));

    private void Say(int stage, ReadOnlyMemory<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        if (stage == _speaking || stage == Head)
        {
            write(text);
            return;
        }

        if (!_held.TryGetValue(stage, out var held))
        {
            _held[stage] = held = new();
        }

        held.Add(text.Span);
    }

    /// <summary>Gives the word to the first stage that is not finished.</summary>
    private void Advance()
    {
        foreach (var (stage, left) in _left)
        {
            _speaking = stage;
            Flush(stage);
            if (left > 0)
            {
                return;
            }
        }
    }

    private void Flush(int stage)
    {
        if (_held.Remove(stage, out var held))
        {
            write(held.ToBytes());
        }
    }

    /// <summary>What a stage has said before it was its turn.</summary>
    private sealed class Held
    {
        private readonly MemoryStream _text = new();
        private bool _isCut;

        public void Add(ReadOnlySpan<byte> text)
        {
            _text.Write(text);
            if (_text.Length > 2 * HeldBytes)
            {
                var end = _text.GetBuffer().AsSpan((int)_text.Length - HeldBytes, HeldBytes).ToArray();
                _text.SetLength(0);
                _text.Write(end.AsSpan(end.IndexOf((byte)'\n') + 1));
                _isCut = true;
            }
        }

        public byte[] ToBytes() => [.. _isCut ? "[…] earlier lines of this stage are left out\n"u8 : [], .. _text.ToArray()];
    }
}
