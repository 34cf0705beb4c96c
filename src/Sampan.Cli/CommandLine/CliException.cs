namespace Sampan.Cli.CommandLine;

/// <summary>Ends the command with a message on standard error and an exit code; an empty message prints nothing.</summary>
internal class CliException(string message, int exitCode = 1) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>A flag's value was refused; the parser adds which flag and which value.</summary>
internal sealed class FlagValueException(string message) : Exception(message);

/// <summary>The words do not fit the command's grammar: the message comes with the command's usage lines.</summary>
internal sealed class UsageException(string message, int exitCode) : CliException(message, exitCode);

/// <summary>The user asked for the command's help page.</summary>
internal sealed class HelpRequestedException(bool deprecatedShorthand) : Exception
{
    /// <summary>Asked by <c>-h</c>, which Docker still answers but tells to be deprecated.</summary>
    public bool DeprecatedShorthand { get; } = deprecatedShorthand;
}

/// <summary>A failure that run and create print as it is, without their prefix and hint.</summary>
internal sealed class PlainException(string message) : CliException(message);
