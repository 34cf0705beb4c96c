using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Sampan.Cli.Commands;
using Sampan.Cli.Formatting;
using Sampan.Linux;

namespace Sampan.Cli.Streams;

/// <summary>
/// A line a step, with its time, on a terminal. Lines that are finished, and all before them too, are written once and scroll away; those
/// below are rewritten in place. A frame is one write that erases nothing it does not replace, so that nothing flickers.
/// </summary>
internal sealed class StepsView : BuildView
{
    private const int TailLines = 20;
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly List<Step> _steps = [];
    private readonly Dictionary<string, Step> _byDigest = [];
    private readonly SortedDictionary<string, (long Current, long Total)> _pulling = [];
    private readonly StringBuilder _said = new();
    private readonly TextWriter _output;
    private readonly TimeProvider _time;
    private readonly Func<(int Height, int Width)> _size;
    private readonly long _began;
    private readonly ITimer _timer;
    private int _settled;
    private int _drawn;
    private bool _over;

    /// <param name="size">Gives the terminal's height and width in cells; null asks the terminal of standard error.</param>
    public StepsView(TextWriter output, TimeProvider time, Func<(int Height, int Width)>? size = null)
    {
        (_output, _time, _size, _began) = (output, time, size ?? (() => Terminal.Size(FdStream.StderrFd)), time.GetTimestamp());
        _timer = time.CreateTimer(_ => Tick(), null, Frame, Frame);
    }

    public override void Status(JsonNode status)
    {
        lock (_lock)
        {
            foreach (var vertex in status.Items("vertexes")) Note(vertex);
            foreach (var log in status.Items("logs"))
            {
                if (_byDigest.TryGetValue(log.Text("vertex"), out var step)) step.Add(Convert.FromBase64String(log.Text("data")));
            }

            foreach (var item in status.Items("statuses"))
            {
                if (_byDigest.TryGetValue(item.Text("vertex"), out var step)) step.Amount = Amount(item.Number("current"), item.Number("total"));
            }

            foreach (var warning in status.Items("warnings")) _said.Append("WARN: ").Append(Encoding.UTF8.GetString(Convert.FromBase64String(warning.Text("short")))).Append('\n');
            if (status.Items("vertexes").Count > 0) Draw(last: false);
        }
    }

    public override void Message(JsonNode message)
    {
        lock (_lock)
        {
            _said.Append(message.Text("stream"));
            var detail = message.Child("progressDetail");
            if (message.Text("id") is { Length: > 0 } id && detail.Number("total") > 0) _pulling[id] = (detail.Number("current"), detail.Number("total"));
        }
    }

    public override void Fail() => End();

    public override void Dispose()
    {
        _timer.Dispose();
        End();
    }

    private void Tick()
    {
        lock (_lock)
        {
            if (!_over) Draw(last: false);
        }
    }

    private void End()
    {
        lock (_lock)
        {
            if (_over) return;
            _over = true;
            Draw(last: true);
            foreach (var failed in _steps.FindAll(step => step.Error.Length > 0 && step.HasOutput))
            {
                _output.Write($"------\n > {failed.Name}:\n{failed.Tail(TailLines)}\n------\n");
            }

            foreach (var failed in _steps.FindAll(step => step.Excerpt.Length > 0)) _output.Write(failed.Excerpt.TrimEnd('\n') + "\n");
            _output.Flush();
        }
    }

    private void Note(JsonNode? vertex)
    {
        var digest = vertex.Text("digest");
        if (!_byDigest.TryGetValue(digest, out var step))
        {
            _byDigest[digest] = step = new(vertex.Text("name"), _time.GetTimestamp());
            _steps.Add(step);
        }

        if (vertex.Text("completed").Length == 0) return;
        step.Ended = _time.GetTimestamp();
        step.IsCached = vertex.Flag("cached");
        (step.Error, step.Excerpt) = (vertex.Text("error"), vertex.Text("excerpt"));
    }

    /// <summary>Writes a frame; the last one leaves all lines behind.</summary>
    private void Draw(bool last)
    {
        var (height, width) = _size();
        (height, width) = (height > 0 ? height : 24, width > 0 ? width : 80);
        var frame = new StringBuilder("\e[?25l");
        if (_drawn > 0) frame.Append(CultureInfo.InvariantCulture, $"\e[{_drawn}A");
        var said = _said.ToString().Split('\n');
        foreach (var line in said.SkipLast(1)) frame.Append(line).Append("\e[K\n");
        _said.Clear().Append(said[^1]);
        for (; _settled < _steps.Count && (last || _steps[_settled].Ended is not null); _settled++) Append(frame, Line(_steps[_settled], width));
        _drawn = 0;
        if (!last)
        {
            // What does not fit is not shown: a line that has scrolled away cannot be rewritten.
            foreach (var step in _steps.Skip(_settled).Take(height - 3)) Append(frame, Line(step, width), ref _drawn);
            if (_pulling.Count > 0 && _steps.Exists(s => s.Ended is null))
            {
                Append(frame, Fit($" => pulling {Amount(_pulling.Values.Sum(p => p.Current), _pulling.Values.Sum(p => p.Total))}", width), ref _drawn);
            }

            Append(frame, Fit(Summary(), width), ref _drawn);
        }
        else
        {
            Append(frame, Fit(Summary(), width));
        }

        _output.Write(frame.Append("\e[J\e[?25h").ToString());
        _output.Flush();
    }

    private string Summary()
    {
        var done = _steps.Count(s => s.Ended is not null);
        var cached = _steps.Count(s => s.IsCached);
        var word = !_over ? "Building" : _steps.Exists(s => s.Error.Length > 0) ? "Failed after" : "Built in";
        return $"{word} {Seconds(_time.GetElapsedTime(_began))} ({done}/{_steps.Count} steps{(cached > 0 ? $", {cached} cached" : "")})";
    }

    private string Line(Step step, int width)
    {
        var time = Seconds(_time.GetElapsedTime(step.Began, step.Ended ?? _time.GetTimestamp()));
        var text = $" => {(step.Error.Length > 0 ? "ERROR " : step.IsCached ? "CACHED " : "")}{step.Name}{(step.Ended is null && step.Amount.Length > 0 ? "  " + step.Amount : "")}";
        var room = Math.Max(10, width - 1 - time.Length - 1);
        return $"{Fit(text, room + 1).PadRight(room)} {time}";
    }

    private static void Append(StringBuilder frame, string line) => frame.Append(line).Append("\e[K\n");

    private static void Append(StringBuilder frame, string line, ref int drawn)
    {
        Append(frame, line);
        drawn++;
    }

    /// <summary>Cuts a line so that it does not wrap, and takes out what would move the cursor.</summary>
    private static string Fit(string text, int width)
    {
        var clean = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
        return clean.Length < width ? clean : clean[..Math.Max(0, width - 2)] + "…";
    }

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0}s");

    private static string Amount(long current, long total) => total > 0 ? $"{Units.Human(current)} / {Units.Human(total)}" : Units.Human(current);

    private sealed class Step(string name, long began)
    {
        private readonly StringBuilder _log = new();

        public string Name { get; } = name;

        public long Began { get; } = began;

        public long? Ended { get; set; }

        public bool IsCached { get; set; }

        public string Error { get; set; } = "";

        public string Excerpt { get; set; } = "";

        public string Amount { get; set; } = "";

        public bool HasOutput => _log.Length > 0;

        /// <summary>Keeps the end of what a command wrote.</summary>
        public void Add(byte[] data)
        {
            const int Kept = 64 * 1024;
            _log.Append(Encoding.UTF8.GetString(data));
            if (_log.Length > 2 * Kept) _log.Remove(0, _log.Length - Kept);
        }

        public string Tail(int lines) => string.Join('\n', _log.ToString().TrimEnd('\n').Split('\n').TakeLast(lines));
    }
}
