using System.Text.Json;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Cli.Registries;
using Sampan.Oci;
using Sampan.Registry;

namespace Sampan.Cli.Commands.Images;

/// <summary><c>manifest</c>: indexes, which Docker calls manifest lists. The client itself asks the registries, as Docker's does.</summary>
internal static class ManifestCommands
{
    public static Command Inspect() => new()
    {
        Name = "inspect",
        Summary = "Show a manifest or index at a registry, or one being put together",
        Synopsis = "[OPTIONS] [MANIFEST_LIST] MANIFEST",
        Arity = Arity.Range(1, 2),
        Setup = static f =>
        {
            var insecure = f.Insecure();
            var verbose = f.Switch("verbose", 'v', "Show each manifest of an index with its platform");
            return (context, args) => InspectOne(context, args, insecure, verbose);
        },
    };

    public static Command Create() => new()
    {
        Name = "create",
        Summary = "Begin an index of images that are at a registry",
        Synopsis = "MANIFEST_LIST MANIFEST [MANIFEST...]",
        Arity = Arity.AtLeast(2),
        Setup = static f =>
        {
            var amend = f.Switch("amend", 'a', "Add to an index that was begun before");
            var insecure = f.Insecure();
            return (context, args) =>
            {
                var list = new ManifestFile(Parse(args[0]));
                if (list.Exists && !amend) throw new CliException("refusing to amend an existing manifest list with no --amend flag");
                var manifests = list.Read();
                foreach (var reference in args.Skip(1).Select(Parse))
                {
                    if (reference.Domain != list.Name.Domain)
                    {
                        throw new CliException("cannot use source images from a different registry than the target image: "
                            + $"{reference.Domain} != {list.Name.Domain}");
                    }

                    var (stored, platform) = Ask(reference, insecure, (registry, user) => registry.ManifestAsync(reference, user, CancellationToken.None));
                    if (platform is null) throw new CliException($"{reference.FamiliarString} is a manifest list");
                    manifests.RemoveAll(m => m.Source == reference);
                    manifests.Add((reference, stored.Descriptor with { Platform = platform }));
                }

                list.Write(manifests);
                context.Line($"Created manifest list {list.Name}");
                return 0;
            };
        },
    };

    public static Command Annotate() => new()
    {
        Name = "annotate",
        Summary = "Say which platform an image of an index is for",
        Synopsis = "[OPTIONS] MANIFEST_LIST MANIFEST",
        Arity = Arity.Exactly(2),
        Setup = static f =>
        {
            var architecture = f.Text("arch", "Architecture");
            var os = f.Text("os", "Operating system");
            var features = f.Strings("os-features", "Features of the operating system");
            var version = f.Text("os-version", "Version of the operating system");
            var variant = f.Text("variant", "Variant of the architecture");
            return (_, args) =>
            {
                static string? Given(string text, string? before) => text.Length > 0 ? text : before;
                var (list, manifests) = Begun(args[0]);
                var at = IndexOf(manifests, args[1]);
                var platform = manifests[at].Descriptor.Platform ?? new Platform();
                manifests[at] = (manifests[at].Source, manifests[at].Descriptor with
                {
                    Platform = platform with
                    {
                        Architecture = Given(architecture.Value, platform.Architecture)!,
                        Os = Given(os.Value, platform.Os)!,
                        OsVersion = Given(version.Value, platform.OsVersion),
                        OsFeatures = features.Values.Count > 0 ? features.Values : platform.OsFeatures,
                        Variant = Given(variant.Value, platform.Variant),
                    },
                });
                list.Write(manifests);
                return 0;
            };
        },
    };

    public static Command Push() => new()
    {
        Name = "push",
        Summary = "Send an index to its registry",
        Synopsis = "[OPTIONS] MANIFEST_LIST",
        Arity = Arity.Exactly(1),
        Setup = static f =>
        {
            var insecure = f.Insecure();
            var purge = f.Switch("purge", 'p', "Forget the index here afterwards");
            return (context, args) =>
            {
                var (list, manifests) = Begun(args[0]);
                var pushed = Ask(list.Name, insecure, (registry, user) => registry.PushIndexAsync(
                    list.Name, IndexOf(manifests), [.. manifests.Select(m => m.Source)], user, CancellationToken.None));
                if (purge) list.Remove();
                context.Line(pushed.Digest.ToString());
                return 0;
            };
        },
    };

    public static Command Remove() => new()
    {
        Name = "rm",
        Summary = "Forget indexes that were begun here",
        Synopsis = "MANIFEST_LIST [MANIFEST_LIST...]",
        Arity = Arity.AtLeast(1),
        Setup = static _ => static (context, args) => Targets.Each(context, args, name =>
        {
            Begun(name).List.Remove();
            return null;
        }),
    };

    private static SwitchFlag Insecure(this FlagSet flags) =>
        flags.Switch("insecure", "The registry's certificate need not be valid, and it may speak plain HTTP");

    private static int InspectOne(ClientContext context, List<string> args, bool insecure, bool verbose)
    {
        var reference = Parse(args[^1]);
        if (args.Count == 2)
        {
            var (_, manifests) = Begun(args[0]);
            var (source, descriptor) = manifests[IndexOf(manifests, args[1])];
            Print(context, Verbose(source, descriptor, insecure));
            return 0;
        }

        var list = new ManifestFile(reference);
        if (list.Exists && !verbose)
        {
            Print(context, JsonSerializer.SerializeToNode(IndexOf(list.Read()), ImageJson.Compact.ImageIndex));
            return 0;
        }

        var members = list.Exists ? list.Read() : null;
        if (members is null)
        {
            var (stored, platform) = Ask(reference, insecure, (registry, user) => registry.ManifestAsync(reference, user, CancellationToken.None));
            if (!verbose || platform is not null)
            {
                Print(context, verbose ? Verbose(reference, stored.Descriptor with { Platform = platform }, insecure) : JsonNode.Parse(stored.Content));
                return 0;
            }

            var index = JsonSerializer.Deserialize(stored.Content, ImageJson.Compact.ImageIndex)!;
            members = [.. index.Manifests.Select(m => (reference.WithDigest(m.Digest), m))];
        }

        Print(context, new JsonArray([.. members.Select(m => Verbose(m.Item1, m.Item2, insecure))]));
        return 0;
    }

    /// <summary>Reference, descriptor and content of a manifest.</summary>
    private static JsonObject Verbose(ImageReference source, Descriptor descriptor, bool insecure)
    {
        var reference = source.WithDigest(descriptor.Digest);
        var (stored, _) = Ask(reference, insecure, (registry, user) => registry.ManifestAsync(reference, user, CancellationToken.None));
        return new JsonObject
        {
            ["Ref"] = source.ToString(),
            ["Descriptor"] = JsonSerializer.SerializeToNode(descriptor, ImageJson.Compact.Descriptor),
            [stored.MediaType == MediaTypes.DockerManifest ? "SchemaV2Manifest" : "OCIManifest"] = JsonNode.Parse(stored.Content),
        };
    }

    private static void Print(ClientContext context, JsonNode? node)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions
        {
            Indented = true,
            IndentCharacter = '\t',
            IndentSize = 1,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }))
        {
            node!.WriteTo(writer);
        }

        context.Line(System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private static (ManifestFile List, List<(ImageReference Source, Descriptor Descriptor)> Manifests) Begun(string name)
    {
        var list = new ManifestFile(Parse(name));
        return list.Exists ? (list, list.Read()) : throw new CliException($"No such manifest: {list.Name}");
    }

    private static int IndexOf(List<(ImageReference Source, Descriptor Descriptor)> manifests, string name)
    {
        var reference = Parse(name);
        return manifests.FindIndex(m => m.Source == reference) is >= 0 and var at ? at : throw new CliException($"No such manifest: {reference}");
    }

    /// <summary>Docker's kind of index when all its manifests are Docker's.</summary>
    private static ImageIndex IndexOf(List<(ImageReference Source, Descriptor Descriptor)> manifests) => new()
    {
        MediaType = manifests.TrueForAll(m => m.Descriptor.MediaType == MediaTypes.DockerManifest) ? MediaTypes.DockerManifestList : MediaTypes.OciIndex,
        Manifests = [.. manifests.Select(m => m.Descriptor)],
    };

    private static ImageReference Parse(string name)
    {
        try
        {
            return ImageReference.Parse(name);
        }
        catch (FormatException e)
        {
            throw new CliException(e.Message);
        }
    }

    /// <summary>Asks the registry of a reference, as the user whose credentials are kept.</summary>
    private static T Ask<T>(ImageReference reference, bool insecure, Func<RegistryService, Credentials, Task<T>> question)
    {
        var found = CredentialFile.Open().Find(CredentialFile.KeyOf(reference));
        var user = new Credentials
        {
            Username = found.Text("username"),
            Password = found.Text("password"),
            IdentityToken = found.Text("identitytoken"),
        };
        using var registry = RegistryService.WithoutStore(new RegistryOptions { InsecureRegistries = insecure ? [reference.Domain] : [] });
        try
        {
            return question(registry, user).GetAwaiter().GetResult();
        }
        catch (RegistryException e)
        {
            throw new CliException(e.Reason.Length > 0 && e.Kind == RegistryErrorKind.NotFound ? $"no such manifest: {reference.FamiliarString}" : e.Message);
        }
    }
}
