using System.Text.Json;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>Where in a Dockerfile something is, in BuildKit's JSON.</summary>
internal static class SourceDetail
{
    private const string Type = "github.com/moby/buildkit/errdefs.Source+json";

    /// <summary>An error's place, as a detail of a status.</summary>
    /// <param name="start">The first line, from 1.</param>
    public static byte[] Of(string name, byte[] dockerfile, int start, int end)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteStartObject("info");
            WriteInfo(json, name, dockerfile);
            json.WriteEndObject();
            WriteRanges(json, start, end);
            json.WriteEndObject();
        }

        return GrpcException.Detail(Type, bytes.ToArray());
    }

    /// <summary>The members of <c>SourceInfo</c>.</summary>
    public static void WriteInfo(Utf8JsonWriter json, string name, byte[] dockerfile)
    {
        json.WriteString("filename", name);
        json.WriteBase64String("data", dockerfile);
        json.WriteString("language", "Dockerfile");
    }

    /// <summary>The member <c>ranges</c>, with one range.</summary>
    public static void WriteRanges(Utf8JsonWriter json, int start, int end)
    {
        json.WriteStartArray("ranges");
        json.WriteStartObject();
        Position(json, "start", start);
        Position(json, "end", end);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void Position(Utf8JsonWriter json, string name, int line)
    {
        json.WriteStartObject(name);
        json.WriteNumber("line", line);
        json.WriteEndObject();
    }
}
