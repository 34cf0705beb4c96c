using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Sampan.Api;
using Sampan.Daemon.Http;
using Sampan.Daemon.Shapes;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Sampan.Tests.Unit.Daemon;

/// <summary>What is sent is what the swagger says: every member known there, of its type, and the required ones present.</summary>
public sealed class SwaggerTests
{
    private static readonly Dictionary<int, YamlMappingNode> Swaggers = new() { [51] = Load("v1.51"), [55] = Load("v1.55") };

    [Theory]
    [InlineData(51)]
    [InlineData(55)]
    public void Answers_fit_their_schemas(int version)
    {
        Check(version, ContainerShapes.Inspect(Samples.Inspect(), version), "ContainerInspectResponse");
        Check(version, ContainerShapes.Summary(Samples.Summary(), version), "ContainerSummary");
        Check(version, ImageShapes.Inspect(Samples.Image(), version), "ImageInspect");
        Check(version, ImageShapes.Summary(Samples.ImageSummary(), version), "ImageSummary");
        Check(version, NetworkShapes.Inspect(Samples.Network(), version), version >= 52 ? "NetworkInspect" : "Network");
        Check(version, SystemShapes.Info(Samples.Info(), version), "SystemInfo");
        Check(version, Of(new Volume { Name = "v", UsageData = new VolumeUsageData() }, ApiJson.Wire.Volume), "Volume");
        Check(version, Of(new ContainerStats { Networks = new() { ["eth0"] = new NetworkStats() } }, ApiJson.Wire.ContainerStats), "ContainerStatsResponse");
        Check(version, Of(new WaitResponse { Error = new WaitExitError() }, ApiJson.Wire.WaitResponse), "ContainerWaitResponse");
        Check(version, Of(new ContainerCreateResponse(), ApiJson.Wire.ContainerCreateResponse), "ContainerCreateResponse");
        Check(version, Of(new FilesystemChange(), ApiJson.Wire.FilesystemChange), "FilesystemChange");
        Check(version, Of(new AuthConfig { Username = "u" }, ApiJson.Wire.AuthConfig), "AuthConfig");
        Check(version, Of(new BuildCache { Parents = ["p"] }, ApiJson.Wire.BuildCache), "BuildCache");
        Check(version, Of(JsonMessage.OfImageId("sha256:1"), ApiJson.Wire.JsonMessage), "BuildInfo");
    }

    [Fact]
    public void Every_member_of_HostConfig_and_ContainerConfig_is_known()
    {
        foreach (var (definition, type) in ((string, JsonTypeInfo)[])[("HostConfig", ApiJson.Wire.HostConfig), ("ContainerConfig", ApiJson.Wire.ContainerConfig)])
        {
            var known = type.Properties.Select(p => p.Name).ToHashSet();
            Assert.DoesNotContain(Members(55, Definition(55, definition)).Keys, n => !known.Contains(n));
        }
    }

    [Fact]
    public void Every_path_of_the_main_job_has_a_route()
    {
        var router = new Router();
        var log = new Sampan.Daemon.DaemonLog(TextWriter.Null, false);
        Sampan.Daemon.Routes.AllRoutes.Map(router, new(new FakeEngine(), log), log);
        string[] later = ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/plugins", "/distribution", "/images/{name}/push", "/images/{name}/attestations"];
        var missing = new List<string>();
        foreach (var (path, operations) in (YamlMappingNode)Swaggers[55]["paths"])
        {
            var text = path.ToString();
            foreach (var (method, _) in (YamlMappingNode)operations)
            {
                if (!later.Any(l => text.StartsWith(l, StringComparison.Ordinal))
                    && router.Find(method.ToString().ToUpperInvariant(), text.Replace("{", "x").Replace("}", "x")) is null)
                {
                    missing.Add($"{method} {text}");
                }
            }
        }

        Assert.Empty(missing);
    }

    private static JsonNode Of<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.SerializeToNode(value, type)!;

    private static void Check(int version, JsonNode node, string definition)
    {
        var errors = new List<string>();
        Validate(version, node, Definition(version, definition), definition, errors);
        Assert.Empty(errors);
    }

    private static void Validate(int version, JsonNode? node, YamlMappingNode schema, string at, List<string> errors)
    {
        schema = Resolve(version, schema);
        if (node is null)
        {
            return; // moby's swagger marks few of the members that Go writes as null
        }

        var members = Members(version, schema);
        var additional = Get(schema, "additionalProperties") as YamlMappingNode;
        var type = (Get(schema, "type") as YamlScalarNode)?.Value ?? (members.Count > 0 ? "object" : null);
        var fits = type switch
        {
            "object" => node is JsonObject,
            "array" => node is JsonArray,
            "string" => node.GetValueKind() == JsonValueKind.String,
            "integer" or "number" => node.GetValueKind() == JsonValueKind.Number,
            "boolean" => node.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
            _ => true,
        };
        if (!fits)
        {
            errors.Add($"{at}: {node.ToJsonString()} is no {type}");
            return;
        }

        if (node is JsonArray array && Get(schema, "items") is YamlMappingNode items)
        {
            foreach (var item in array)
            {
                Validate(version, item, items, $"{at}[]", errors);
            }
        }
        else if (node is JsonObject o && (members.Count > 0 || additional is not null))
        {
            foreach (var (name, value) in o)
            {
                if ((members.GetValueOrDefault(name) ?? additional) is { } member)
                {
                    Validate(version, value, member, $"{at}.{name}", errors);
                }
                else
                {
                    errors.Add($"{at}.{name}: not in the swagger");
                }
            }

            var required = (Get(schema, "required") as YamlSequenceNode)?.Select(r => r.ToString()) ?? [];
            errors.AddRange(required.Where(r => !o.ContainsKey(r)).Select(r => $"{at}.{r}: missing"));
        }
    }

    private static Dictionary<string, YamlMappingNode> Members(int version, YamlMappingNode schema)
    {
        schema = Resolve(version, schema);
        var members = new Dictionary<string, YamlMappingNode>();
        foreach (var part in (Get(schema, "allOf") as YamlSequenceNode)?.OfType<YamlMappingNode>() ?? [])
        {
            foreach (var (name, member) in Members(version, part))
            {
                members[name] = member;
            }
        }

        foreach (var (name, member) in Get(schema, "properties") as YamlMappingNode ?? [])
        {
            members[name.ToString()] = (YamlMappingNode)member;
        }

        return members;
    }

    private static YamlMappingNode Resolve(int version, YamlMappingNode schema) =>
        Get(schema, "$ref") is { } reference ? Resolve(version, Definition(version, reference.ToString()["#/definitions/".Length..])) : schema;

    private static YamlMappingNode Definition(int version, string name) => (YamlMappingNode)Swaggers[version]["definitions"][name];

    private static YamlNode? Get(YamlMappingNode node, string name) => node.Children.TryGetValue(new YamlScalarNode(name), out var value) ? value : null;

    private static YamlMappingNode Load(string name)
    {
        using var reader = File.OpenText(Conformance.Path($"api/{name}.yaml"));
        var yaml = new YamlStream();
        yaml.Load(reader);
        return (YamlMappingNode)yaml.Documents[0].RootNode;
    }
}
