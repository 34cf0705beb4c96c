using Sampan.Cli.CommandLine;
using Sampan.Cli.Options;

namespace Sampan.Cli.Commands.Images;

/// <summary>The flags of <c>build</c>.</summary>
internal sealed class BuildFlags(FlagSet f)
{
    public readonly ListFlag AddHosts = f.List("add-host", "Line for /etc/hosts (host:ip)", OptionChecks.ExtraHost);
    public readonly ListFlag Allow = f.List("allow", "Right that RUN may ask for (\"security.insecure\", \"network.host\")", CheckRight);
    public readonly ListFlag Attest = f.List("attest", "Attestation to make: none are (type=sbom,disabled=true)", CheckAttestation);
    public readonly ValueFlag<string> Builder = f.Value("builder", '\0', "string", "Builder to use: there is \"default\"", "", CheckBuilder);
    public readonly ListFlag BuildContexts = f.List("build-context", "What a name in FROM, --from or from= stands for (name=DIRECTORY, docker-image://…, oci-layout://…, a URL)");
    public readonly ListFlag BuildArgs = f.List("build-arg", "Value of an ARG (name=value), or the name of a variable of ours", OptionChecks.Env);
    public readonly ListFlag CacheFrom = f.List("cache-from", "Cache of other builds: IMAGE, type=registry,ref=NAME or type=local,src=DIR", type: "stringArray");
    public readonly ListFlag CacheTo = f.List("cache-to", "Where the cache goes, too: type=inline, type=registry,ref=NAME or type=local,dest=DIR (mode=max: of all stages)", type: "stringArray");
    public readonly ValueFlag<string> Call = f.Text("call", "What to do (\"build\", \"check\")", "build");
    public readonly ValueFlag<string> CgroupParent = f.Text("cgroup-parent", "Parent cgroup of RUN instructions");
    public readonly SwitchFlag Check = f.Switch("check", "Look through the Dockerfile and build nothing");
    public readonly SwitchFlag Compress = f.Switch("compress", "Send the context compressed");
    public readonly ValueFlag<long> CpuPeriod = f.Int("cpu-period", "Microseconds of a period of the CPU scheduler");
    public readonly ValueFlag<long> CpuQuota = f.Int("cpu-quota", "Microseconds of CPU time in a period");
    public readonly ValueFlag<long> CpuShares = f.Int("cpu-shares", 'c', "Relative weight of CPU time");
    public readonly ValueFlag<long> Cpus = f.Value("cpus", '\0', "decimal", "Number of CPUs of RUN instructions", 0L, FlagValues.Cpus);
    public readonly ValueFlag<string> CpusetCpus = f.Text("cpuset-cpus", "CPUs to run on (0-3, 0,1)");
    public readonly ValueFlag<string> CpusetMems = f.Text("cpuset-mems", "Memory nodes to use (0-3, 0,1)");
    public readonly SwitchFlag ContentTrust = f.Switch("disable-content-trust", "Skip the verification of the image's signature", initial: true);
    public readonly SwitchFlag Explain = f.Switch("explain", "Say why a step is not found in the cache");
    public readonly ValueFlag<string> File = f.Text("file", 'f', "The Dockerfile, \"-\" for STDIN (default is \"PATH/Dockerfile\")");
    public readonly SwitchFlag ForceRemove = f.Switch("force-rm", "Remove intermediate containers also of a failed build");
    public readonly ValueFlag<string> IdFile = f.Text("iidfile", "Write the image's ID to this file");
    public readonly ValueFlag<string> Isolation = f.Text("isolation", "Isolation technology");
    public readonly SwitchFlag Load = f.Switch("load", "Keep the image here, also with other outputs (as --output type=docker)");
    public readonly ListFlag Labels = f.List("label", "Label of the image (key=value)", OptionChecks.Label);
    public readonly ValueFlag<long> Memory = f.Bytes("memory", 'm', "Limit of memory");
    public readonly ValueFlag<long> MemorySwap = f.SwapBytes("memory-swap", "Limit of memory and swap together, -1 for unlimited swap");
    public readonly ValueFlag<string> Network = f.Text("network", "Network of RUN instructions", "default");
    public readonly ValueFlag<string> MetadataFile = f.Text("metadata-file", "Write what was built to this file (JSON)");
    public readonly SwitchFlag NoCache = f.Switch("no-cache", "Do every step anew");
    public readonly ListFlag NoCacheFilter = f.Strings("no-cache-filter", "Do every step of these stages anew");
    public readonly SwitchFlag NoFileMemo = f.Switch("no-file-memo", "Read every file of the context, also one that has not been touched", initial: LocalBuild.HashAlways);
    public readonly ListFlag Outputs = f.List("output", 'o', "What to make (type=local|tar|oci|docker|image|registry,dest=PATH; a DIRECTORY; \"-\" for a tar)");
    public readonly ValueFlag<string> Platform = f.Text("platform", "Platform of the image (os[/arch[/variant]])");
    public readonly ValueFlag<string> Progress = f.Text("progress", "How to show the progress (\"auto\", \"plain\", \"tty\", \"quiet\", \"rawjson\")", "auto");
    public readonly ValueFlag<string> Provenance = f.Value("provenance", '\0', "string", "Attestation of how it was built: none is made (false)", "", CheckNoAttestation);
    public readonly SwitchFlag Pull = f.Switch("pull", "Look for newer versions of the base images");
    public readonly SwitchFlag Push = f.Switch("push", "Push the image to its registry (as --output type=registry)");
    public readonly SwitchFlag Quiet = f.Switch("quiet", 'q', "Only print the image's ID, or the output of a failure");
    public readonly SwitchFlag Remove = f.Switch("rm", "Remove intermediate containers of a build that succeeds", initial: true);
    public readonly ValueFlag<string> Sbom = f.Value("sbom", '\0', "string", "Attestation of what is in it: none is made (false)", "", CheckNoAttestation);
    public readonly ListFlag Secrets = f.List("secret", "Secret for RUN --mount=type=secret (id=NAME,src=FILE or id=NAME,env=VARIABLE)");
    public readonly ListFlag SecurityOpts = f.Strings("security-opt", "Security option");
    public readonly ValueFlag<long> ShmSize = f.Bytes("shm-size", '\0', "Size of /dev/shm");
    public readonly SwitchFlag Squash = f.Switch("squash", "Make one layer of the new ones");
    public readonly ListFlag Ssh = f.List("ssh", "Agent for RUN --mount=type=ssh (default, or ID=SOCKET)");
    public readonly ListFlag Tags = f.List("tag", 't', "Name of the image, with a tag after a colon", OptionChecks.ReferenceFlag);
    public readonly ValueFlag<string> Target = f.Text("target", "Build up to this stage");
    public readonly ListFlag Ulimits = f.List("ulimit", "Resource limit (name=soft[:hard])", CheckUlimit, "ulimit", "[]");

    public readonly ValueFlag<string> Verify = f.Text("verify", "Build anew and show the first difference from this image");

    private static string CheckRight(string value) =>
        value is "security.insecure" or "network.host" ? value : throw new FlagValueException($"unknown right '{value}' (security.insecure or network.host)");

    /// <summary>Scripts for buildx switch attestations off; one that wants them is to know that there are none.</summary>
    private static string CheckNoAttestation(string value) => bool.TryParse(value, out var wanted) && !wanted ? value
        : throw new FlagValueException("attestations are not made here");

    private static string CheckAttestation(string value) => Array.IndexOf(value.Split(','), "disabled=true") > 0 ? value
        : throw new FlagValueException("attestations are not made here");

    private static string CheckBuilder(string value) => value is "" or "default" ? value : throw new FlagValueException($"no builder \"{value}\" found");

    private static string CheckUlimit(string value)
    {
        OptionChecks.Ulimit(value);
        return value;
    }
}
