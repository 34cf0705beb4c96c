namespace Sampan.Api;

/// <summary>
/// An exec in one request instead of Docker's three (create, start, inspect). Sampan's command line sends <c>POST /containers/{id}/exec</c> with <c>Sampan-Exec: run</c> and asks to upgrade. Sampan's daemon then starts it as well and
/// answers 101 with <c>Sampan-Exec: ID</c>; without a terminal the last frame of the stream is <see cref="StdCopy.ExitCode"/>. Any other
/// daemon does not know the header and answers 201, and the command line goes on as Docker's does.
/// </summary>
public static class ExecRun
{
    public const string Header = "Sampan-Exec", Value = "run";
}
