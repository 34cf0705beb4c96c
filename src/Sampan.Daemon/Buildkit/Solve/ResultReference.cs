using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Wire;
using Sampan.Oci;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>
/// A result as a graph of BuildKit's operations (LLB). Clients do not look into it, but hand it over as another build's input (bake's linked
/// targets): it has one operation, which takes an image.
/// </summary>
internal static class ResultReference
{
    private const string Scheme = "docker-image://";

    /// <summary><c>pb.Definition</c>.</summary>
    public static void Write(ProtoWriter definition, string image)
    {
        var source = new ProtoWriter().Message(3, op => op.String(1, Scheme + image)).Written.ToArray();
        var digest = Digest.OfSha256(source).ToString();
        var end = new ProtoWriter().Message(1, input => input.String(1, digest)).Written;
        definition.Bytes(1, source).Bytes(1, end.Span);
        foreach (var known in (string[])[digest, Digest.OfSha256(end.Span).ToString()])
        {
            definition.Message(2, entry => entry.String(1, known).Message(2, _ => { }));
        }
    }

    /// <summary>The image that an input stands for, as the source of a context.</summary>
    /// <exception cref="GrpcException">Unimplemented: it is another graph.</exception>
    public static string Source(IReadOnlyDictionary<string, byte[]> inputs, string name) => Scheme + Image(
        inputs.GetValueOrDefault(name) ?? throw new GrpcException(GrpcCode.InvalidArgument, $"there is no input '{name}'"));

    /// <summary>The image that a graph stands for.</summary>
    /// <exception cref="GrpcException">Unimplemented: it is another graph.</exception>
    public static string Image(ReadOnlySpan<byte> definition)
    {
        var reader = new ProtoReader(definition);
        var sources = new List<string>();
        while (reader.Next())
        {
            if (reader.Field == 1)
            {
                Add(sources, reader.Bytes());
            }
        }

        return sources is [var only] && only.StartsWith(Scheme, StringComparison.Ordinal) ? only[Scheme.Length..]
            : throw new GrpcException(GrpcCode.Unimplemented, "Sampan builds Dockerfiles, and runs no graphs of BuildKit's operations (LLB)");
    }

    private static void Add(List<string> sources, ReadOnlySpan<byte> operation)
    {
        var op = new ProtoReader(operation);
        while (op.Next())
        {
            if (op.Field is 2 or 4 or 5 or 6 or 7)
            {
                sources.Add(""); // an operation of another kind
            }
            else if (op.Field == 3)
            {
                var source = new ProtoReader(op.Bytes());
                while (source.Next())
                {
                    if (source.Field == 1)
                    {
                        sources.Add(source.String());
                    }
                }
            }
        }
    }
}
