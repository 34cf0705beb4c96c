using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Session;

/// <summary>A message that is nothing but bytes (<c>BytesMessage</c>).</summary>
internal static class Chunk
{
    public static byte[] Parse(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        byte[] data = [];
        while (reader.Next())
        {
            data = reader.Field == 1 ? reader.Bytes().ToArray() : data;
        }

        return data;
    }

    public static ReadOnlyMemory<byte> Of(ReadOnlySpan<byte> data) => new ProtoWriter().Bytes(1, data).Written;
}
