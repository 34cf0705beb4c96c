using Sampan.Daemon.Buildkit.Wire;
using Sampan.Dockerfile;
using Sampan.Engine;

namespace Sampan.Daemon.Buildkit.Grpc;

/// <summary>gRPC's status codes, as far as they are used.</summary>
internal enum GrpcCode
{
    Ok = 0,
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// <summary>A call has failed: what its other side is told, or has told.</summary>
/// <param name="details">Messages that say more (<c>google.protobuf.Any</c>).</param>
internal sealed class GrpcException(GrpcCode code, string message, params IReadOnlyList<byte[]> details) : Exception(message)
{
    public GrpcCode Code => code;

    /// <summary>The same without a code of its own: clients show the code of a build that fails before its reason, where Docker's daemon gives none.</summary>
    public GrpcException AsFailure() => Code == GrpcCode.Canceled ? this : new(GrpcCode.Unknown, Message, details);

    /// <summary>The status as a message (<c>google.rpc.Status</c>), which has the details.</summary>
    public byte[] ToStatus()
    {
        var status = new ProtoWriter().Int64(1, (long)code).String(2, Message);
        foreach (var detail in details)
        {
            status.Bytes(3, detail);
        }

        return status.Written.ToArray();
    }

    /// <summary>From a status as a message.</summary>
    public static GrpcException Parse(ReadOnlySpan<byte> status)
    {
        var reader = new ProtoReader(status);
        var (code, message, details) = (GrpcCode.Unknown, "", new List<byte[]>());
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    code = (GrpcCode)reader.UInt32();
                    break;
                case 2:
                    message = reader.String();
                    break;
                case 3:
                    details.Add(reader.Bytes().ToArray());
                    break;
            }
        }

        return new(code, message, details);
    }

    /// <summary>A detail, by the URL of its type.</summary>
    public static byte[] Detail(string type, ReadOnlySpan<byte> message) => new ProtoWriter().String(1, type).Bytes(2, message).Written.ToArray();

    /// <summary>The status that an error of the engine is.</summary>
    public static GrpcException Of(Exception e) => e switch
    {
        GrpcException grpc => grpc,
        OperationCanceledException => new(GrpcCode.Canceled, "context canceled"),
        FormatException => new(GrpcCode.InvalidArgument, e.Message),
        DockerfileException file => new(GrpcCode.InvalidArgument, file.LocatedMessage),
        _ => new(CodeOf(EngineException.KindOf(e)), e.Message),
    };

    private static GrpcCode CodeOf(ErrorKind kind) => kind switch
    {
        ErrorKind.InvalidParameter => GrpcCode.InvalidArgument,
        ErrorKind.NotFound => GrpcCode.NotFound,
        ErrorKind.Conflict => GrpcCode.FailedPrecondition,
        ErrorKind.Unauthorized => GrpcCode.Unauthenticated,
        ErrorKind.Forbidden => GrpcCode.PermissionDenied,
        ErrorKind.NotImplemented => GrpcCode.Unimplemented,
        _ => GrpcCode.Unknown,
    };
}
