namespace Sampan.Registry;

/// <summary>One message of a pull or push, in Docker's words.</summary>
/// <param name="Id">The layer (12 digits), or the tag or reference it is about; null for the whole.</param>
/// <param name="Status">As <c>Downloading</c>, <c>Pull complete</c>.</param>
/// <param name="Current">Bytes so far; 0 when it is not about an amount.</param>
/// <param name="Total">Bytes in all; 0 when not known.</param>
/// <param name="IsItem">It is one line of several that change while the work goes on.</param>
public sealed record TransferMessage(string? Id, string Status, long Current = 0, long Total = 0, bool IsItem = false)
{
    /// <summary>It may be left out when the reader is slow.</summary>
    public bool IsAmount => Current > 0;
}
