using System.Text;
using Sampan.Api;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>Tells what the daemon does around a build's steps: taking files from the client, exporting.</summary>
internal sealed class Teller(StatusLog log, TimeProvider time)
{
    /// <summary>Tells that something begins; <see cref="Work.TellAsync"/> tells of its end.</summary>
    public async Task<Work> BeginAsync(string name, CancellationToken cancel)
    {
        var work = new Work(this, name, Now(), cancel);
        await work.TellAsync(null, null);
        return work;
    }

    /// <summary>Does something and tells of it.</summary>
    public async Task<T> DoAsync<T>(string name, Func<Work, Task<T>> action, CancellationToken cancel)
    {
        var work = await BeginAsync(name, cancel);
        try
        {
            var result = await action(work);
            await work.TellAsync(Now(), null);
            return result;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await work.TellAsync(Now(), e.Message);
            throw;
        }
    }

    private string Now() => GoTime.Format(time.GetUtcNow());

    /// <summary>Something that is under way.</summary>
    public sealed class Work(Teller teller, string name, string started, CancellationToken cancel)
    {
        private readonly string _digest = Oci.Digest.OfSha256(Encoding.UTF8.GetBytes($"{name} {Guid.NewGuid()}")).ToString();

        public string Digest => _digest;

        /// <summary>Tells how far a part of it is.</summary>
        /// <param name="current">Bytes.</param>
        public ValueTask StatusAsync(string id, long current = 0, long total = 0, bool isDone = false) => teller.TellAsync(
            new() { Statuses = [new() { Id = id, Vertex = _digest, Current = current, Total = total, Timestamp = teller.Now(), IsDone = isDone }] }, cancel);

        public ValueTask TellAsync(string? completed, string? error) => teller.TellAsync(
            new() { Vertexes = [new() { Digest = _digest, Name = name, Started = started, Completed = completed, Error = error }] }, cancel);
    }

    private ValueTask TellAsync(BuildStatus status, CancellationToken cancel) => log.WriteAsync(status, cancel);
}
