using System.Text.Json.Nodes;
using Sampan.Cli.Streams;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>The live view of a build, as a terminal shows it.</summary>
public sealed class StepsViewTests
{
    private readonly StringWriter _output = new();
    private readonly StepsView _view;
    private readonly int _width = 40;
    private int _height = 10;

    public StepsViewTests() => _view = new(_output, new StoppedTime(), () => (_height, _width));

    private void Begin(string id, string name) => _view.Status(JsonNode.Parse($$"""{"vertexes":[{"digest":"{{id}}","name":"{{name}}","started":"x"}]}""")!);

    private void End(string id, string more = "") => _view.Status(JsonNode.Parse($$"""{"vertexes":[{"digest":"{{id}}","name":"","started":"x","completed":"y"{{more}}}]}""")!);

    private string[] Screen => Shown(_output.ToString());

    [Fact]
    public void Steps_have_a_line_each_in_the_order_of_their_begin()
    {
        Begin("a", "[1/2] FROM x");
        Begin("b", "[2/2] RUN y");
        Assert.Equal([" => [1/2] FROM x                   0.0s", " => [2/2] RUN y                    0.0s", "Building 0.0s (0/2 steps)"], Screen);
        End("b");
        End("a", ",\"cached\":true");
        Assert.Equal([" => CACHED [1/2] FROM x            0.0s", " => [2/2] RUN y                    0.0s", "Building 0.0s (2/2 steps, 1 cached)"], Screen);
        _view.Dispose();
        Assert.Equal("Built in 0.0s (2/2 steps, 1 cached)", Screen[^1]);
        Assert.Equal(3, Screen.Length);
    }

    [Fact]
    public void Lines_never_wrap_and_never_move_the_cursor()
    {
        Begin("a", new string('x', 100) + @"\u001b[2J");
        Assert.All(Screen, line => Assert.InRange(line.Length, 1, _width - 1));
        Assert.DoesNotContain("\e[2J", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_low_terminal_shows_what_fits()
    {
        _height = 5;
        for (var i = 0; i < 9; i++) Begin($"{i}", $"step {i}");
        Assert.Equal([" => step 0", " => step 1"], Screen.SkipLast(1).Select(line => line[..10]));
        for (var i = 0; i < 9; i++) End($"{i}");
        _view.Dispose();
        Assert.Equal(10, Screen.Length);
    }

    [Fact]
    public void A_failed_step_shows_its_last_lines_and_its_place()
    {
        Begin("a", "[1/1] RUN make");
        _view.Status(JsonNode.Parse($$"""{"logs":[{"vertex":"a","stream":2,"data":"{{Convert.ToBase64String("no rule\n"u8)}}"}]}""")!);
        End("a", ",\"error\":\"exit 2\",\"excerpt\":\"   2 | >>> RUN make\\n\"");
        _view.Fail();
        Assert.Equal([" => ERROR [1/1] RUN make           0.0s", "Failed after 0.0s (1/1 steps)", "------", " > [1/1] RUN make:", "no rule", "------", "   2 | >>> RUN make"], Screen);
    }

    [Fact]
    public void Text_of_a_daemon_that_knows_no_steps_is_shown()
    {
        _view.Message(JsonNode.Parse("""{"stream":"Step 1/1 : FROM x\n"}""")!);
        _view.Dispose();
        Assert.Equal("Step 1/1 : FROM x", Screen[0]);
    }

    /// <summary>Plays the few sequences that a view uses: cursor up, erase to the end of the line, erase below.</summary>
    private static string[] Shown(string text)
    {
        var lines = new List<string> { "" };
        var row = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\n')
            {
                if (++row == lines.Count) lines.Add("");
                lines[row] = "";
            }
            else if (text[i] == '\e')
            {
                var end = i + 2;
                while (!char.IsAsciiLetter(text[end])) end++;
                if (text[end] == 'A')
                {
                    row -= int.Parse(text.AsSpan(i + 2, end - i - 2));
                    lines[row] = "";
                }

                if (text[end] == 'J') lines.RemoveRange(row + 1, lines.Count - row - 1);
                i = end;
            }
            else
            {
                lines[row] += text[i];
            }
        }

        return [.. lines.SkipLast(lines[^1].Length == 0 ? 1 : 0)];
    }

    /// <summary>Time that stands still and never fires.</summary>
    private sealed class StoppedTime : TimeProvider
    {
        public override long GetTimestamp() => 0;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Never();

        private sealed class Never : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
