namespace Sampan.Dockerfile;

/// <summary>Lines of a file, counted from 1, both ends included.</summary>
public readonly record struct LineRange(int Start, int End)
{
    public override string ToString() => Start == End ? $"{Start}" : $"{Start}-{End}";
}
