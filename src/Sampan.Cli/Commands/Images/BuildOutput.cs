using System.Text.Json.Nodes;
using Sampan.Cli.Archives;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Containers;
using Sampan.Cli.Http;
using Sampan.Cli.Options;
using Sampan.Cli.Streams;
using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Cli.Commands.Images;

/// <summary>An image that was built; whether the daemon did not have it before.</summary>
internal sealed record BuiltImage(string Id, bool IsNew);

/// <summary>One <c>--output</c>.</summary>
/// <param name="Type">local, tar, oci, docker or image.</param>
/// <param name="Destination">A directory (local, and archives with <c>tar=false</c>) or a file; empty for standard output, or for the daemon's images.</param>
/// <param name="Name">A name for the image.</param>
/// <param name="Unpacked">An archive is to be a directory.</param>
/// <param name="Push">The image goes to its name's registry as well.</param>
internal sealed record BuildOutput(string Type, string Destination, string Name, bool Unpacked, bool Push = false)
{
    /// <summary>The daemon's images are where it goes.</summary>
    public bool IsStored => Type == "image" || (Type == "docker" && Destination.Length == 0);

    /// <summary>Standard output is taken by it.</summary>
    public bool ToStdout => !IsStored && Destination is "" or "-";

    private bool IsDirectory => Type == "local" || Unpacked;

    /// <summary>Reads the flags' values.</summary>
    /// <param name="tags">The names that <c>-t</c> gives.</param>
    /// <exception cref="CliException">One is wrong, two want standard output, or what is to be pushed has no name.</exception>
    public static List<BuildOutput> Parse(List<string> values, List<string> tags)
    {
        var outputs = values.ConvertAll(Parse);
        if (tags.Count == 0 && outputs.Find(o => o.Push && o.Name.Length == 0) is { } nameless)
        {
            throw new CliException($"an output of type {nameless.Type} that is pushed needs a name: use --tag or name=NAME");
        }

        if (outputs.FindAll(o => o.ToStdout).Count > 1) throw new CliException("only one output can go to standard output");
        foreach (var output in outputs)
        {
            if (output.ToStdout && Terminal.Is(FdStream.StdoutFd)) throw new CliException($"dest is required for an output of type {output.Type}: it is not written to a terminal");
            if (!output.IsStored && !output.ToStdout && !output.IsDirectory) ArchiveOutput.Check(output.Destination, "failed to write the output");
        }

        return outputs;
    }

    /// <summary>Writes what the build gave. An image that has no name and was not there before does not stay when it is nobody's output.</summary>
    public static void Write(ClientContext context, List<BuildOutput> outputs, BuiltImage built, List<string> names)
    {
        foreach (var output in outputs) output.Write(context, built.Id, names);
        if (outputs.Count > 0 && built.IsNew && names.Count == 0 && !outputs.Exists(o => o.IsStored))
        {
            context.Api.Send("DELETE", $"/images/{built.Id}").Dispose();
        }
    }

    /// <summary>The metadata file: what buildx writes for an engine whose images are known by their configuration.</summary>
    public static string Metadata(string id, List<string> names)
    {
        var metadata = new JsonObject { ["containerimage.config.digest"] = id, ["containerimage.digest"] = id };
        if (names.Count > 0) metadata["image.name"] = string.Join(',', names.ConvertAll(name => ImageReference.Parse(name).ToString()));
        return metadata.ToJsonString(new() { WriteIndented = true }) + "\n";
    }

    private static BuildOutput Parse(string text)
    {
        if (text == "-") return new("tar", "-", "", false);
        if (!text.Contains('=')) return new("local", text, "", false);
        string type = "", destination = "", name = "";
        var (unpacked, push) = (false, false);
        foreach (var (key, value) in KeyValues.Parse(text, "--output"))
        {
            switch (key)
            {
                case "type": type = value; break;
                case "dest": destination = value; break;
                case "name": name = OptionChecks.ReferenceFlag(value); break;
                case "tar": unpacked = !FlagValues.Bool(value); break;
                case "push": push = FlagValues.Bool(value); break;
                default: throw new CliException($"unknown key {FlagValues.Quote(key)} in --output {text} (type, dest, name, tar, push)");
            }
        }

        if (type == "registry") (type, push) = ("image", true);
        if (type is not ("local" or "tar" or "oci" or "docker" or "image")) throw new CliException($"unsupported output type {FlagValues.Quote(type)} (local, tar, oci, docker, image or registry)");
        if (push && type != "image") throw new CliException($"push=true is for an output of type image, not {type}");
        if (type == "local" && destination is "" or "-") throw new CliException("dest is required for an output of type local");
        if (type == "image" && destination.Length > 0) throw new CliException("an output of type image has no dest");
        if (unpacked && (type is not ("oci" or "docker") || destination is "" or "-")) throw new CliException("tar=false is for an output of type oci or docker with dest");
        return new(type, destination, name, unpacked, push);
    }

    private static void Send(ClientContext context, string id, string target)
    {
        try
        {
            RegistryCommands.PushImage(context, target, context.Error);
        }
        catch (CliException e)
        {
            throw new CliException($"the build succeeded, its image is {id} ({target}) here, but pushing it failed: {e.Message}", e.ExitCode);
        }
    }

    private void Write(ClientContext context, string id, List<string> names)
    {
        if (Push)
        {
            List<string> targets = Name.Length > 0 ? [Name] : names;
            foreach (var target in targets.Distinct()) Send(context, id, target);
        }

        if (IsStored) return;
        var path = Type is "local" or "tar" ? new Query("/build/output").Add("image", id) : new Query("/images/get").Add("names", names.Count > 0 ? names[0] : id);
        using var response = context.Api.Get(path.ToString());
        if (!IsDirectory)
        {
            ArchiveOutput.Copy(response.Body, Destination == "-" ? "" : Destination);
            return;
        }

        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Destination));
        Directory.CreateDirectory(root);
        TreeExtraction.Extract(response.Body, root, owners: false, strip: false);
    }
}
