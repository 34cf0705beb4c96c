namespace Sampan.Cli;

/// <summary>The one binary: by its first argument it is the command line, the daemon or a container's monitor.</summary>
internal static class Program
{
    private static int Main() => 0;
}
