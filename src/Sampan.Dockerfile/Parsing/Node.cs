namespace Sampan.Dockerfile.Parsing;

/// <summary>One instruction as it is written: words, not yet meaning.</summary>
/// <param name="Keyword">The instruction's name in lower case.</param>
/// <param name="Original">The whole instruction on one line, continuation lines joined, without the bodies of heredocs.</param>
/// <param name="Lines">Where it stands, heredocs included.</param>
public sealed record Node(string Keyword, string Original, LineRange Lines)
{
    /// <summary>The instruction's name as it is written.</summary>
    public string Name { get; init; } = Keyword;

    /// <summary>Flags as written, e.g. <c>--from=build</c>, quotes removed.</summary>
    public IReadOnlyList<string> Flags { get; init; } = [];

    /// <summary>
    /// The arguments. Shell forms have one; ENV and LABEL have three for each pair: name, value, and "=" or "" (old form).
    /// </summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The arguments were written as a JSON array of strings.</summary>
    public bool IsJson { get; init; }

    /// <summary>ONBUILD's instruction.</summary>
    public Node? Trigger { get; init; }

    /// <summary>Heredocs in the order in which the line opens them.</summary>
    public IReadOnlyList<Heredoc> Heredocs { get; init; } = [];

    /// <summary>The instruction with the bodies of its heredocs, as it goes into cache keys and history.</summary>
    public string FullText => Heredocs.Count == 0 ? Original
        : Original + "\n" + string.Concat(Heredocs.Select(h => h.RawContent + h.Name + "\n"));
}

/// <summary>Text between <c>&lt;&lt;NAME</c> and a line that says NAME.</summary>
/// <param name="Name">The terminator.</param>
/// <param name="FileDescriptor">The number before <c>&lt;&lt;</c>, or 0.</param>
/// <param name="Expand">False when the name is quoted: then variables stay as they are.</param>
/// <param name="Chomp"><c>&lt;&lt;-</c>: leading tabs are removed from each line.</param>
/// <param name="RawContent">The text as written, each line with its end.</param>
public sealed record Heredoc(string Name, int FileDescriptor, bool Expand, bool Chomp, string RawContent)
{
    /// <summary>The text, without leading tabs if so asked.</summary>
    public string Content => Chomp ? string.Join('\n', RawContent.Split('\n').Select(l => l.TrimStart('\t'))) : RawContent;
}
