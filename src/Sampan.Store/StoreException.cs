namespace Sampan.Store;

/// <summary>What kind of failure a caller has to tell its user; the Engine's error classes follow from it.</summary>
public enum StoreErrorKind
{
    /// <summary>What was named is not there.</summary>
    NotFound,

    /// <summary>It is there, but something uses it.</summary>
    Conflict,

    /// <summary>The input cannot be used: an archive, a name, a configuration.</summary>
    InvalidInput,

    /// <summary>A digest or size is not what it was said to be.</summary>
    Mismatch,

    /// <summary>Something in the store itself is damaged.</summary>
    Damaged,
}

/// <summary>An operation of the store failed and left nothing behind. The message is Docker's where Docker has one.</summary>
public class StoreException(StoreErrorKind kind, string message, Exception? cause = null) : Exception(message, cause)
{
    public StoreErrorKind Kind { get; } = kind;

    internal static StoreException NotFound(string message) => new(StoreErrorKind.NotFound, message);

    internal static StoreException Conflict(string message) => new(StoreErrorKind.Conflict, message);

    internal static StoreException Invalid(string message, Exception? cause = null) => new(StoreErrorKind.InvalidInput, message, cause);

    internal static StoreException Mismatch(string message) => new(StoreErrorKind.Mismatch, message);

    internal static StoreException Damaged(string message, Exception? cause = null) => new(StoreErrorKind.Damaged, message, cause);
}

/// <summary>Another daemon holds the data root.</summary>
/// <param name="dataRoot">The directory.</param>
/// <param name="pid">The process that holds it; 0 when it did not leave its number.</param>
public sealed class StoreInUseException(string dataRoot, int pid)
    : Exception($"data root \"{dataRoot}\" is in use by another daemon{(pid > 0 ? $" (process {pid})" : "")}")
{
    public string DataRoot { get; } = dataRoot;

    public int Pid { get; } = pid;
}

/// <summary>A tar archive is damaged, hostile or beyond a limit. The message names the byte offset and the entry.</summary>
public sealed class TarException(string message, long offset, string? entry)
    : StoreException(StoreErrorKind.InvalidInput, entry is null ? $"{message} (at byte {offset} of the archive)" : $"{message} (entry \"{entry}\", at byte {offset} of the archive)")
{
    /// <summary>Where in the uncompressed archive.</summary>
    public long Offset { get; } = offset;

    /// <summary>The entry's name, with control characters escaped; null before the first.</summary>
    public string? Entry { get; } = entry;
}
