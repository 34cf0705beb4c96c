using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>Strings as the daemon writes them.</summary>
[JsonSerializable(typeof(string))]
internal sealed partial class RelaxedJson : JsonSerializerContext
{
    public static RelaxedJson Wire { get; } = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
