namespace Sampan.Cli;

internal sealed class ClientContext;
