using Sampan.Daemon.Buildkit.Wire;

namespace Sampan.Daemon.Buildkit.Solve;

/// <summary>Where a build's result goes, or its cache comes from or goes to: a type and what belongs to it.</summary>
internal sealed record Target(string Type, IReadOnlyDictionary<string, string> Attributes)
{
    public string? this[string name] => Attributes.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;

    public bool Is(string name) => this[name] is { } text && (text == "1" || text.Equals("true", StringComparison.OrdinalIgnoreCase));

    /// <summary>The shape of both <c>Exporter</c> and <c>CacheOptionsEntry</c>.</summary>
    public static Target Parse(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var (type, attributes) = ("", new Dictionary<string, string>());
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.String();
                    break;
                case 2:
                    reader.Entry(attributes);
                    break;
            }
        }

        return new(type, attributes);
    }
}

/// <summary>What a frontend is asked to build.</summary>
internal sealed record FrontendRequest(string Frontend, IReadOnlyDictionary<string, string> Attributes)
{
    /// <summary>A graph of BuildKit's operations (LLB), in place of a frontend; empty for none.</summary>
    public byte[] Definition { get; init; } = [];

    /// <summary>Names of inputs that are graphs.</summary>
    public IReadOnlyDictionary<string, byte[]> Inputs { get; init; } = new Dictionary<string, byte[]>();

    public IReadOnlyList<Target> CacheImports { get; init; } = [];

    /// <summary><c>moby.buildkit.v1.frontend.SolveRequest</c>.</summary>
    public static FrontendRequest ParseGateway(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var attributes = new Dictionary<string, string>();
        var imports = new List<Target>();
        var inputs = new Dictionary<string, byte[]>();
        var frontend = "";
        byte[] definition = [];
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    definition = reader.Bytes().ToArray();
                    break;
                case 2:
                    frontend = reader.String();
                    break;
                case 3:
                    reader.Entry(attributes);
                    break;
                case 12:
                    imports.Add(Target.Parse(reader.Bytes()));
                    break;
                case 13:
                    Input(inputs, reader.Bytes());
                    break;
            }
        }

        return new(frontend, attributes) { Definition = definition, CacheImports = imports, Inputs = inputs };
    }

    internal static void Input(Dictionary<string, byte[]> inputs, ReadOnlySpan<byte> entry)
    {
        var reader = new ProtoReader(entry);
        var (name, definition) = ("", Array.Empty<byte>());
        while (reader.Next())
        {
            (name, definition) = reader.Field switch
            {
                1 => (reader.String(), definition),
                2 => (name, reader.Bytes().ToArray()),
                _ => (name, definition),
            };
        }

        inputs[name] = definition;
    }
}

/// <summary><c>moby.buildkit.v1.SolveRequest</c>: a whole build, whose frontend runs here or, when none is named, in the client.</summary>
internal sealed record SolveRequest(string Ref, string Session, FrontendRequest Frontend)
{
    public IReadOnlyList<Target> Exporters { get; init; } = [];

    public IReadOnlyList<Target> CacheExports { get; init; } = [];

    public IReadOnlyList<Target> CacheImports { get; init; } = [];

    /// <summary>Rights that the client grants to the build (<c>--allow</c>).</summary>
    public IReadOnlyList<string> Entitlements { get; init; } = [];

    public static SolveRequest Parse(ReadOnlySpan<byte> message)
    {
        var reader = new ProtoReader(message);
        var (name, session, frontend, exporter) = ("", "", "", "");
        byte[] definition = [];
        var (attributes, exporterAttributes) = (new Dictionary<string, string>(), new Dictionary<string, string>());
        var inputs = new Dictionary<string, byte[]>();
        var exporters = new List<Target>();
        var (exports, imports) = (new List<Target>(), new List<Target>());
        var entitlements = new List<string>();
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    name = reader.String();
                    break;
                case 2:
                    definition = reader.Bytes().ToArray();
                    break;
                case 3:
                    exporter = reader.String();
                    break;
                case 4:
                    reader.Entry(exporterAttributes);
                    break;
                case 5:
                    session = reader.String();
                    break;
                case 6:
                    frontend = reader.String();
                    break;
                case 7:
                    reader.Entry(attributes);
                    break;
                case 8:
                    Caches(reader.Bytes(), exports, imports);
                    break;
                case 9:
                    entitlements.Add(reader.String());
                    break;
                case 10:
                    FrontendRequest.Input(inputs, reader.Bytes());
                    break;
                case 13:
                    exporters.Add(Target.Parse(reader.Bytes()));
                    break;
            }
        }

        // Old clients know of one exporter only.
        return new(name, session, new(frontend, attributes) { Definition = definition, Inputs = inputs })
        {
            Exporters = exporters.Count > 0 || exporter.Length == 0 ? exporters : [new(exporter, exporterAttributes)],
            CacheExports = exports,
            CacheImports = imports,
            Entitlements = entitlements,
        };
    }

    private static void Caches(ReadOnlySpan<byte> message, List<Target> exports, List<Target> imports)
    {
        var reader = new ProtoReader(message);
        while (reader.Next())
        {
            if (reader.Field is 4 or 5)
            {
                (reader.Field == 4 ? exports : imports).Add(Target.Parse(reader.Bytes()));
            }
        }
    }
}
