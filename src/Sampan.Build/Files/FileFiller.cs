using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Sampan.Build.Context;
using Sampan.Linux;

namespace Sampan.Build.Files;

/// <summary>
/// Gives new, empty files their content and attributes. Where there are many, other threads do it while the caller makes the next ones: half of a
/// file's cost is its making, which a directory allows one thread at a time.
/// </summary>
/// <param name="digests">What the files have to be; null where nothing can change them.</param>
internal sealed class FileFiller(FileDigests? digests) : IDisposable
{
    private const int BufferBytes = 256 * 1024;
    private const int BlockBytes = 512; // what st_blocks counts, whatever the file system
    private const int FewFiles = 32, QueuedFiles = 64;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
    private readonly BlockingCollection<Job> _queue = new(QueuedFiles);
    private readonly List<Thread> _threads = [];
    private ExceptionDispatchInfo? _error;
    private volatile bool _isStopped;
    private int _files;

    /// <summary>Takes over the descriptor of a new file. An error may come with a later file, or with <see cref="Wait"/>.</summary>
    /// <param name="path">Of the file in the image, for messages.</param>
    /// <param name="target">Open for reading and writing.</param>
    public void Fill(MergedNode source, string path, int target, Attributes attributes)
    {
        var job = new Job(source, path, target, attributes);
        if (++_files == FewFiles)
        {
            Start();
        }

        if (_threads.Count == 0 || !_queue.TryAdd(job))
        {
            Do(job, _buffer);
        }

        _error?.Throw();
    }

    /// <summary>Until all is done.</summary>
    public void Wait()
    {
        Join();
        _error?.Throw();
    }

    /// <summary>What has not been begun is left.</summary>
    public void Dispose()
    {
        _isStopped = true;
        Join();
        _queue.Dispose();
    }

    private void Join()
    {
        _queue.CompleteAdding();
        _threads.ForEach(thread => thread.Join());
    }

    private void Start()
    {
        for (var i = 1; i < Math.Clamp(Environment.ProcessorCount, 2, 8); i++)
        {
            var thread = new Thread(Work) { IsBackground = true, Name = "copy" };
            thread.Start();
            _threads.Add(thread);
        }
    }

    private void Work()
    {
        var buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
        foreach (var job in _queue.GetConsumingEnumerable())
        {
            try
            {
                if (_error is not null || _isStopped)
                {
                    Sys.Close(job.Target);
                    continue;
                }

                Do(job, buffer);
            }
            catch (Exception e)
            {
                // The caller's thread throws it.
                Interlocked.CompareExchange(ref _error, ExceptionDispatchInfo.Capture(e), null);
            }
        }
    }

    private void Do(Job job, byte[] buffer)
    {
        var (source, path, to, attributes) = job;
        var from = -1;
        try
        {
            from = MergedView.Open(source);
            if (!Sys.TryClone(from, to))
            {
                CopyContent(source, from, to, buffer);
            }

            digests?.Verify(source, from, to);

            // In this order: a new owner takes set-user-ID and capabilities away.
            Sys.Chown(to, attributes.Uid, attributes.Gid);
            Sys.Chmod(to, attributes.Mode);
            foreach (var (name, value) in Xattrs.Of(source))
            {
                if (Sys.TrySetXattr(to, name, value) is var errno and not 0)
                {
                    throw new SyscallException("fsetxattr", $"'{path}'", errno);
                }
            }

            Sys.SetTimes(to, attributes.Modified);
        }
        catch (SyscallException e) when (e.Errno is Errno.ENOSPC or Errno.EFBIG or Errno.EIO)
        {
            throw new SyscallException("copying to", $"'{path}'", e.Errno);
        }
        finally
        {
            Sys.Close(to);
            Sys.Close(from);
        }
    }

    /// <summary>Copies a file's bytes; holes stay holes.</summary>
    private static void CopyContent(MergedNode source, int from, int to, byte[] buffer)
    {
        if (source.Stat.Blocks * BlockBytes >= source.Stat.Size)
        {
            CopyBytes(from, to, long.MaxValue, buffer);
            return;
        }

        for (long data = 0, end; (data = Sys.Seek(from, data, Sys.SEEK_DATA)) >= 0 && (end = Sys.Seek(from, data, Sys.SEEK_HOLE)) >= 0; data = end)
        {
            Sys.Seek(from, data, Sys.SEEK_SET);
            Sys.Seek(to, data, Sys.SEEK_SET);
            CopyBytes(from, to, end - data, buffer);
        }

        Sys.Truncate(to, Sys.Stat(from).Size);
    }

    private static void CopyBytes(int from, int to, long count, byte[] buffer)
    {
        for (int n; count > 0 && (n = Sys.Read(from, buffer.AsSpan(0, (int)Math.Min(BufferBytes, count)))) > 0; count -= n)
        {
            Sys.Write(to, buffer.AsSpan(0, n));
        }
    }

    private readonly record struct Job(MergedNode Source, string Path, int Target, Attributes Attributes);
}
