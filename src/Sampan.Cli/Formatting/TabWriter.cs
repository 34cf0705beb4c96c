using System.Text;

namespace Sampan.Cli.Formatting;

/// <summary>
/// Aligns columns that tabs end, as Go's text/tabwriter: a column lasts for the consecutive lines that have it, and the last cell
/// of a line belongs to none.
/// </summary>
internal static class TabWriter
{
    private const int MinWidth = 10;
    private const int Padding = 3;

    public static string Align(string text, int minWidth = MinWidth, int padding = Padding)
    {
        if (!text.Contains('\t')) return text;
        var lines = Array.ConvertAll(text.Split('\n'), static line => line.Split('\t'));
        var widths = Array.ConvertAll(lines, static cells => new int[cells.Length]);
        var columns = 0;
        foreach (var cells in lines) columns = Math.Max(columns, cells.Length - 1);
        for (var column = 0; column < columns; column++)
        {
            for (var line = 0; line < lines.Length; line++)
            {
                var first = line;
                var width = minWidth;
                for (; line < lines.Length && lines[line].Length - 1 > column; line++)
                {
                    width = Math.Max(width, RuneCount(lines[line][column]) + padding);
                }

                for (var l = first; l < line; l++) widths[l][column] = width;
            }
        }

        var result = new StringBuilder();
        for (var line = 0; line < lines.Length; line++)
        {
            if (line > 0) result.Append('\n');
            for (var cell = 0; cell < lines[line].Length; cell++)
            {
                var content = lines[line][cell];
                result.Append(content);
                if (cell < lines[line].Length - 1) result.Append(' ', widths[line][cell] - RuneCount(content));
            }
        }

        return result.ToString();
    }

    private static int RuneCount(string text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes()) count++;
        return count;
    }
}
