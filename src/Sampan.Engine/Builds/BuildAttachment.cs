using System.Collections.Concurrent;
using System.Security.Cryptography;
using Sampan.Build.Files;

namespace Sampan.Engine.Builds;

/// <summary>What a client handed over for a build: one of the values below, by its kind. Disposed after the build.</summary>
internal sealed record BuildAttachment(string Kind, string Name) : IDisposable
{
    /// <summary>A secret's value, in memory only; overwritten at the end.</summary>
    public byte[]? Secret { get; init; }

    public LocalSocket? Agent { get; init; }

    /// <summary>The user's own directory.</summary>
    public LocalDirectory? Local { get; init; }

    /// <summary>A directory that was sent as an archive.</summary>
    public TempDirectory? Sent { get; init; }

    /// <summary>The ID of an image out of an OCI layout.</summary>
    public string? Image { get; init; }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(Secret);
        Agent?.Dispose();
        Local?.Dispose();
        Sent?.Dispose();
    }
}

/// <summary>Attachments that wait for their build. Thread-safe.</summary>
internal sealed class WaitingAttachments(TimeProvider time) : IDisposable
{
    private const int MaxWaiting = 1000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<string, (BuildAttachment Attachment, ITimer Timer)> _waiting = new();

    /// <summary>Keeps it until a build comes for it, at most 10 minutes; gives its ID.</summary>
    public string Add(BuildAttachment attachment)
    {
        if (_waiting.Count >= MaxWaiting)
        {
            attachment.Dispose();
            throw EngineException.Conflict($"{MaxWaiting} attachments wait for their builds: try again in a few minutes");
        }

        var id = RandomNumberGenerator.GetHexString(32, lowercase: true);
        _waiting[id] = (attachment, time.CreateTimer(_ => Forget(id), null, Patience, Timeout.InfiniteTimeSpan));
        return id;
    }

    /// <summary>Gives it to a build, which disposes it.</summary>
    /// <exception cref="EngineException">NotFound.</exception>
    public BuildAttachment Take(string id)
    {
        if (!_waiting.TryRemove(id, out var waiting))
        {
            throw new EngineException(ErrorKind.NotFound, $"no such attachment: {id} (it is forgotten after {Patience.TotalMinutes} minutes, and used once)");
        }

        waiting.Timer.Dispose();
        return waiting.Attachment;
    }

    public void Dispose()
    {
        foreach (var id in _waiting.Keys)
        {
            Forget(id);
        }
    }

    private void Forget(string id)
    {
        if (_waiting.TryRemove(id, out var waiting))
        {
            waiting.Timer.Dispose();
            waiting.Attachment.Dispose();
        }
    }
}
