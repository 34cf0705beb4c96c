using System.Security.Cryptography;
using Sampan.Linux;
using Sampan.Oci;
using ZstdSharp;

namespace Sampan.Store;

/// <summary>Makes a layer's tar again from its recipe and its files, and checks it against the layer's digest on the way.</summary>
internal sealed class RecipeReader(Layer layer) : IDisposable
{
    private const int BufferBytes = 512 * 1024;

    private readonly byte[] _number = new byte[1];
    private readonly Stream _recipe = new BufferedStream(new DecompressionStream(File.OpenRead(layer.RecipePath), leaveOpen: false), 64 * 1024);
    private readonly ShadowIndex? _shadow = ShadowIndex.Read(layer.Directory);
    private readonly byte[][] _buffers = [new byte[BufferBytes], new byte[BufferBytes]];
    private int _current;
    private int _length;
    private Task _writing = Task.CompletedTask;
    private long _total;

    /// <summary>Writes the tar while the next part is read.</summary>
    public async Task CopyToAsync(Stream destination, CancellationToken cancel)
    {
        var root = Sys.Open(layer.Directory, Sys.O_RDONLY | Sys.O_DIRECTORY);
        var file = -1;
        try
        {
            using var directories = new RootedDirectory(root);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var (files, path) = (0L, Array.Empty<byte>());
            RequireMagic();
            while (true)
            {
                switch (ReadByte())
                {
                    case RecipeWriter.OpRaw:
                        for (var left = ReadNumber(); left > 0;)
                        {
                            left -= Fill(left, fd: -1, 0);
                            await SendIfFullAsync(destination, hash, cancel);
                        }

                        break;
                    case RecipeWriter.OpFile:
                        Sys.Close(file);
                        (file, path) = Open(directories, ref files);
                        break;
                    case RecipeWriter.OpData:
                        var (offset, end) = (ReadNumber(), ReadNumber());
                        for (end += offset; offset < end;)
                        {
                            var n = Fill(end - offset, file, offset);
                            offset += n > 0 ? n : throw Damaged($"file \"/{TarEntry.Display(path)}\" is shorter than it was");
                            await SendIfFullAsync(destination, hash, cancel);
                        }

                        break;
                    case RecipeWriter.OpEnd:
                        await SendAsync(destination, hash, cancel);
                        await _writing;
                        var digest = Digest.FromSha256(hash.GetHashAndReset());
                        if (ReadNumber() != _total || digest != layer.DiffId)
                        {
                            throw Damaged($"its files give {_total} bytes with digest {digest}");
                        }

                        return;
                    default:
                        throw Damaged("its recipe has an unknown operation");
                }
            }
        }
        catch (Exception e) when (e is EndOfStreamException or ZstdException)
        {
            throw Damaged($"its recipe cannot be read: {e.Message}");
        }
        finally
        {
            // The buffer is being read until the last write has ended, however it ended.
            await _writing.ContinueWith(static _ => { }, TaskScheduler.Default);
            Sys.Close(file);
            Sys.Close(root);
        }
    }

    public void Dispose() => _recipe.Dispose();

    private int Fill(long limit, int fd, long offset)
    {
        var room = _buffers[_current].AsSpan(_length);
        room = room.Length > limit ? room[..(int)limit] : room;
        var n = fd >= 0 ? Sys.Read(fd, room, offset) : _recipe.Read(room);
        _length += n;
        return n > 0 || fd >= 0 ? n : throw new EndOfStreamException("it ends too early");
    }

    private Task SendIfFullAsync(Stream destination, IncrementalHash hash, CancellationToken cancel) =>
        _length == BufferBytes ? SendAsync(destination, hash, cancel) : Task.CompletedTask;

    private async Task SendAsync(Stream destination, IncrementalHash hash, CancellationToken cancel)
    {
        var (buffer, length) = (_buffers[_current], _length);
        await _writing;
        _writing = destination.WriteAsync(buffer.AsMemory(0, length), cancel).AsTask();

        // Reading the same bytes while they are written is fine; they change only after the next send has waited for this one.
        hash.AppendData(buffer, 0, length);
        _total += length;
        (_current, _length) = (1 - _current, 0);
    }

    private (int Fd, byte[] Path) Open(RootedDirectory directories, ref long files)
    {
        var path = new byte[ReadNumber()];
        _recipe.ReadExactly(path);
        var place = _shadow?.Locate(path, files) ?? EntryPath.Join("diff"u8, path);
        files++;
        var (parent, name) = EntryPath.Split(place);
        var errno = directories.TryOpen(parent, create: false, out var directory);
        var fd = -1;
        errno = errno != 0 ? errno : Sys.TryOpenAt(directory, name, Sys.O_RDONLY | Sys.O_NOFOLLOW, 0, out fd);
        return errno == 0 ? (fd, path) : throw Damaged($"file \"/{TarEntry.Display(path)}\": {SyscallException.Describe(errno)}");
    }

    private void RequireMagic()
    {
        var magic = new byte[RecipeWriter.Magic.Length];
        _recipe.ReadExactly(magic);
        if (!magic.AsSpan().SequenceEqual(RecipeWriter.Magic))
        {
            throw Damaged("its recipe is of another kind");
        }
    }

    private long ReadNumber()
    {
        var (value, shift) = (0UL, 0);
        while (true)
        {
            var b = ReadByte();
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return (long)value;
            }

            shift += 7;
        }
    }

    private byte ReadByte()
    {
        _recipe.ReadExactly(_number);
        return _number[0];
    }

    private StoreException Damaged(string what) => StoreException.Damaged($"layer {layer.ChainId} is damaged: {what}");
}
