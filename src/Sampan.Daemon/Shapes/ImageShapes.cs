using System.Text.Json.Nodes;
using Sampan.Api;

namespace Sampan.Daemon.Shapes;

/// <summary>Images as each version of the API shows them.</summary>
internal static class ImageShapes
{
    public static JsonNode Inspect(ImageInspect image, int version)
    {
        var node = Node.Of(image, ApiJson.Wire.ImageInspect);
        if (version >= 52)
        {
            node.Remove("Parent", "DockerVersion");
            return node;
        }

        foreach (var name in (string[])["Parent", "Comment", "DockerVersion", "Author"])
        {
            node.Default(name, "");
        }

        var config = node.Child("Config") ?? [];
        if (version < 50)
        {
            ContainerFields(config);
        }

        ImageFields(config);
        node["Config"] = config;
        if (version < 48)
        {
            node.Remove("Descriptor");
        }

        if (version < 45)
        {
            var empty = new JsonObject();
            ContainerFields(empty);
            ImageFields(empty);
            node["Container"] = "";
            node["ContainerConfig"] = empty;
        }

        if (version < 44)
        {
            node["VirtualSize"] = image.Size;
            node.Default("Created", GoTime.Zero);
        }

        return node;
    }

    public static JsonNode List(IEnumerable<ImageSummary> list, int version) => Node.Array(list, i => Summary(i, version));

    public static JsonNode Summary(ImageSummary image, int version)
    {
        var node = Node.Of(image, ApiJson.Wire.ImageSummary);
        if (version < 48)
        {
            node.Remove("Descriptor");
        }

        if (version < 44)
        {
            node["VirtualSize"] = image.Size;
        }

        if (version < 43 && image.RepoTags is not { Count: > 0 } && image.RepoDigests is not { Count: > 0 })
        {
            node["RepoTags"] = new JsonArray("<none>:<none>");
            node["RepoDigests"] = new JsonArray("<none>@<none>");
        }

        return node;
    }

    /// <summary>Until 1.49 an image's configuration was a container's, with these members always there.</summary>
    private static void ContainerFields(JsonObject config)
    {
        foreach (var name in (string[])["Hostname", "Domainname", "Image"])
        {
            config.Default(name, "");
        }

        foreach (var name in (string[])["AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"])
        {
            config.Default(name, false);
        }
    }

    /// <summary>Until 1.51 these members were there even when empty.</summary>
    private static void ImageFields(JsonObject config)
    {
        foreach (var name in (string[])["User", "WorkingDir"])
        {
            config.Default(name, "");
        }

        foreach (var name in (string[])["Env", "Cmd", "Volumes", "Entrypoint", "OnBuild", "Labels"])
        {
            config.Default(name, null);
        }
    }
}
