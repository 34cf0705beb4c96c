using System.Text.Json;
using Sampan.Daemon.Buildkit.Grpc;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>Where in a Dockerfile an error is, as a detail of a status (<c>errdefs.Source</c>, which goes as JSON).</summary>
internal static class SourceDetail
{
    private const string Type = "github.com/moby/buildkit/errdefs.Source+json";

    /// <param name="start">The first line, from 1.</param>
    public static byte[] Of(string name, byte[] dockerfile, int start, int end)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteStartObject("info");
            json.WriteString("filename", name);
            json.WriteBase64String("data", dockerfile);
            json.WriteString("language", "Dockerfile");
            json.WriteEndObject();
            json.WriteStartArray("ranges");
            json.WriteStartObject();
            Position(json, "start", start);
            Position(json, "end", end);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return GrpcException.Detail(Type, bytes.ToArray());
    }

    private static void Position(Utf8JsonWriter json, string name, int line)
    {
        json.WriteStartObject(name);
        json.WriteNumber("line", line);
        json.WriteEndObject();
    }
}
