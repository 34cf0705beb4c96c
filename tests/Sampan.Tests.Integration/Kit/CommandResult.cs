using System.Text;
using Xunit;

namespace Sampan.Tests.Integration.Kit;

/// <summary>What a command did: its exit code and everything it wrote.</summary>
public sealed record CommandResult(string Command, int ExitCode, byte[] OutputBytes, byte[] ErrorBytes)
{
    /// <summary>Standard output without the last line's end.</summary>
    public string Output => Encoding.UTF8.GetString(OutputBytes).TrimEnd('\n');

    /// <summary>Standard error without the last line's end.</summary>
    public string Error => Encoding.UTF8.GetString(ErrorBytes).TrimEnd('\n');

    /// <summary>The lines of standard output.</summary>
    public string[] Lines => Output.Length == 0 ? [] : Output.Split('\n');

    /// <summary>Fails the test, showing everything, unless the exit code is 0; returns this result.</summary>
    public CommandResult Succeeds() => Exits(0);

    /// <summary>Fails the test, showing everything, unless the exit code is <paramref name="code"/>.</summary>
    public CommandResult Exits(int code)
    {
        if (ExitCode != code)
            Assert.Fail($"expected exit code {code}, got {ExitCode}\n{this}");
        return this;
    }

    /// <summary>Fails the test unless the command failed, whatever its code.</summary>
    public CommandResult Fails()
    {
        if (ExitCode == 0)
            Assert.Fail($"expected a failure\n{this}");
        return this;
    }

    /// <summary>Fails the test unless standard output is exactly <paramref name="expected"/> (last line's end apart).</summary>
    public CommandResult Prints(string expected)
    {
        if (Output != expected)
            Assert.Fail($"expected on standard output: {expected}\n{this}");
        return this;
    }

    /// <summary>Fails the test unless standard output contains <paramref name="part"/>.</summary>
    public CommandResult Shows(string part)
    {
        if (!Output.Contains(part, StringComparison.Ordinal))
            Assert.Fail($"expected somewhere on standard output: {part}\n{this}");
        return this;
    }

    /// <summary>Fails the test unless standard error contains <paramref name="part"/>, whatever the case of its letters.</summary>
    public CommandResult Complains(string part)
    {
        if (!Error.Contains(part, StringComparison.OrdinalIgnoreCase))
            Assert.Fail($"expected somewhere on standard error: {part}\n{this}");
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => $"command: {Command}\nexit code: {ExitCode}\n"
        + $"--- stdout ---\n{Clip(Output)}\n--- stderr ---\n{Clip(Error)}\n---";

    private static string Clip(string text) => text.Length <= 4000 ? text : text[..2000] + "\n[…]\n" + text[^2000..];
}
