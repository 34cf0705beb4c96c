using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sampan.Cli.CommandLine;
using Sampan.Oci;

namespace Sampan.Cli.Registries;

/// <summary>
/// The client's credentials for registries: Docker's <c>config.json</c> (in <c>$DOCKER_CONFIG</c> or <c>~/.docker</c>) with its
/// <c>auths</c>, and the helpers <c>docker-credential-NAME</c> that <c>credHelpers</c> and <c>credsStore</c> name.
/// </summary>
internal sealed class CredentialFile
{
    /// <summary>The key of Docker Hub's entry.</summary>
    public const string DockerHub = "https://index.docker.io/v1/";

    private readonly JsonObject _config;

    private CredentialFile(string path, JsonObject config) => (Location, _config) = (path, config);

    public string Location { get; }

    /// <summary>The folder of the client's settings.</summary>
    public static string Folder => Environment.GetEnvironmentVariable("DOCKER_CONFIG") is { Length: > 0 } given ? given
        : Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".docker");

    /// <summary>Reads the file; one that is not there is empty.</summary>
    /// <exception cref="CliException">It is not JSON.</exception>
    public static CredentialFile Open()
    {
        var path = Path.Combine(Folder, "config.json");
        try
        {
            return new(path, File.Exists(path) ? JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject ?? [] : []);
        }
        catch (JsonException e)
        {
            throw new CliException($"error loading config file: {path}: {e.Message}");
        }
    }

    /// <summary>The key under which credentials for an image are kept.</summary>
    public static string KeyOf(ImageReference image) => image.Domain == "docker.io" ? DockerHub : image.Domain;

    /// <summary>The key for what a user calls a registry: Docker Hub when nothing is said, else the host without scheme and path.</summary>
    public static string KeyOf(string server) =>
        server is "" or "docker.io" or "index.docker.io" or "registry-1.docker.io" || server == DockerHub ? DockerHub : HostOf(server);

    /// <summary>Credentials in the shape of the API's AuthConfig; null without any.</summary>
    public JsonObject? Find(string key)
    {
        if (HelperFor(key) is { } helper)
        {
            return FromHelper(helper, key);
        }

        if (_config["auths"] is not JsonObject auths)
        {
            return null;
        }

        var entry = (auths[key] ?? auths.FirstOrDefault(a => HostOf(a.Key) == HostOf(key)).Value) as JsonObject;
        return entry is null ? null : Decode(key, entry);
    }

    /// <summary>The header <c>X-Registry-Auth</c> for a request about an image; empty without credentials.</summary>
    public static Dictionary<string, string> HeaderFor(string image) =>
        Open().Find(KeyOf(ImageReference.Parse(image))) is { } found ? new() { ["X-Registry-Auth"] = Base64(found) } : [];

    /// <summary>The header <c>X-Registry-Config</c> with the credentials of all registries, for a build; empty without any.</summary>
    public static Dictionary<string, string> HeaderForBuild()
    {
        var file = Open();
        var all = new JsonObject();
        var keys = (file._config["auths"] as JsonObject ?? []).Concat(file._config["credHelpers"] as JsonObject ?? []).Select(e => e.Key);
        foreach (var key in keys.Distinct())
        {
            if (file.Find(key) is { } found) all[key] = found;
        }

        return all.Count == 0 ? [] : new() { ["X-Registry-Config"] = Base64(all) };
    }

    /// <summary>Keeps credentials: with the helper, else in the file, which only its owner can read.</summary>
    /// <returns>True when they are in the file, not encrypted.</returns>
    public bool Store(string key, string user, string secret, string identityToken)
    {
        if (HelperFor(key) is { } helper)
        {
            var (name, value) = identityToken.Length > 0 ? ("<token>", identityToken) : (user, secret);
            RunHelper(helper, "store", new JsonObject { ["ServerURL"] = key, ["Username"] = name, ["Secret"] = value }.ToJsonString());
            return false;
        }

        if (_config["auths"] is not JsonObject auths) _config["auths"] = auths = [];
        auths[key] = new JsonObject { ["auth"] = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{(identityToken.Length > 0 ? "" : secret)}")) };
        if (identityToken.Length > 0) auths[key]!["identitytoken"] = identityToken;
        Write();
        return true;
    }

    /// <summary>Forgets credentials; false when there were none.</summary>
    public bool Remove(string key)
    {
        if (HelperFor(key) is { } helper)
        {
            RunHelper(helper, "erase", key);
            return true;
        }

        if (_config["auths"] is not JsonObject auths) return false;
        var keys = auths.Where(a => a.Key == key || HostOf(a.Key) == HostOf(key)).Select(a => a.Key).ToList();
        keys.ForEach(k => auths.Remove(k));
        if (keys.Count > 0) Write();
        return keys.Count > 0;
    }

    private static string HostOf(string key)
    {
        var start = key.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme ? scheme + 3 : 0;
        var end = key.IndexOf('/', start);
        return end < 0 ? key[start..] : key[start..end];
    }

    private static string Base64(JsonObject value) =>
        Convert.ToBase64String(Encoding.UTF8.GetBytes(value.ToJsonString())).Replace('+', '-').Replace('/', '_');

    private static JsonObject? Decode(string key, JsonObject entry)
    {
        var result = new JsonObject { ["serveraddress"] = key };
        if ((string?)entry["auth"] is { Length: > 0 } auth)
        {
            var text = Encoding.UTF8.GetString(Convert.FromBase64String(auth));
            var colon = text.IndexOf(':');
            if (colon < 0) throw new CliException($"invalid auth configuration file: the entry of {key} has no password");
            (result["username"], result["password"]) = (text[..colon], text[(colon + 1)..].Trim('\0'));
        }

        foreach (var name in (string[])["identitytoken", "registrytoken"])
        {
            if ((string?)entry[name] is { Length: > 0 } token) result[name] = token;
        }

        return result.Count > 1 ? result : null;
    }

    private string? HelperFor(string key) =>
        (string?)(_config["credHelpers"] as JsonObject)?[key] is { Length: > 0 } own ? own
        : (string?)_config["credsStore"] is { Length: > 0 } store ? store : null;

    private static JsonObject? FromHelper(string helper, string key)
    {
        var (status, output) = Execute(helper, "get", key);
        if (status != 0)
        {
            // The helpers' word for an unknown registry.
            return output.Contains("credentials not found", StringComparison.Ordinal) ? null
                : throw new CliException($"error getting credentials - docker-credential-{helper}: {output.Trim()}");
        }

        var found = JsonNode.Parse(output) as JsonObject ?? [];
        var (user, secret) = ((string?)found["Username"] ?? "", (string?)found["Secret"] ?? "");
        return user == "<token>" ? new JsonObject { ["serveraddress"] = key, ["identitytoken"] = secret }
            : new JsonObject { ["serveraddress"] = key, ["username"] = user, ["password"] = secret };
    }

    private static void RunHelper(string helper, string verb, string input)
    {
        var (status, output) = Execute(helper, verb, input);
        if (status != 0) throw new CliException($"error with credentials - docker-credential-{helper} {verb}: {output.Trim()}");
    }

    private static (int Status, string Output) Execute(string helper, string verb, string input)
    {
        try
        {
            using var process = System.Diagnostics.Process.Start(new ProcessStartInfo("docker-credential-" + helper, verb)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
            process.StandardInput.Write(input);
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output);
        }
        catch (Win32Exception e)
        {
            throw new CliException($"error with credentials: docker-credential-{helper}, which {Open().Location} names, cannot be run: {e.Message}");
        }
    }

    private void Write()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Location)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var fresh = Location + ".new";
        using (var file = new FileStream(fresh, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        using (var writer = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true, IndentCharacter = '\t', IndentSize = 1 }))
        {
            _config.WriteTo(writer);
        }

        File.Move(fresh, Location, overwrite: true);
    }
}
