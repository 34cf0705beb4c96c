using Sampan.Cli.CommandLine;
using Sampan.Cli.Options;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>Flag values become the API's JSON; what is wrong is said in docker 28's words.</summary>
public sealed class OptionsTests
{
    [Theory]
    [InlineData("80", "80/tcp @ :")]
    [InlineData("8080:80", "80/tcp @ :8080")]
    [InlineData("8080:80/udp", "80/udp @ :8080")]
    [InlineData("127.0.0.1:8080:80", "80/tcp @ 127.0.0.1:8080")]
    [InlineData("127.0.0.1::80", "80/tcp @ 127.0.0.1:")]
    [InlineData("[::1]:80:80", "80/tcp @ ::1:80")]
    [InlineData(":80", "80/tcp @ :")]
    [InlineData("1-2:3-4", "3/tcp @ :1, 4/tcp @ :2")]
    [InlineData("8000-9000:80", "80/tcp @ :8000-9000")]
    [InlineData("published=80,target=90,protocol=udp", "90/udp @ :80")]
    public void Ports_are_read(string spec, string expected)
        => Assert.Equal(expected, string.Join(", ", PortSpec.ParsePublish(spec).ConvertAll(p => $"{p.ContainerPort} @ {p.HostIp}:{p.HostPort}")));

    [Theory]
    [InlineData("x", "invalid containerPort: x")]
    [InlineData("99999", "invalid containerPort: 99999")]
    [InlineData("x:80", "invalid hostPort: x")]
    [InlineData("70000:80", "invalid hostPort: 70000")]
    [InlineData("-1:80", "invalid hostPort: -1")]
    [InlineData("80/foo", "invalid proto: foo")]
    [InlineData("1-3:2-5", "invalid ranges specified for container and host Ports: 2-5 and 1-3")]
    [InlineData("1.2.3:80:80", "invalid IP address: 1.2.3")]
    [InlineData("80:", "no port specified: 80:<empty>")]
    [InlineData("1:2:3:4", "invalid IP address: 1:2")]
    [InlineData("9-3", "invalid containerPort: 9-3")]
    public void Wrong_ports_are_refused(string spec, string message)
        => Assert.Equal(message, Assert.Throws<CliException>(() => PortSpec.ParsePublish(spec)).Message);

    [Theory]
    [InlineData("type=bind,src=/a,dst=/b,ro", """{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true}""")]
    [InlineData("target=/x", """{"Type":"volume","Target":"/x"}""")]
    [InlineData("type=tmpfs,dst=/a,tmpfs-size=1m,tmpfs-mode=1770", """{"Type":"tmpfs","Target":"/a","TmpfsOptions":{"SizeBytes":1048576,"Mode":1016}}""")]
    [InlineData("type=volume,src=v,dst=/a,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=k=v",
        """{"Type":"volume","Source":"v","Target":"/a","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"},"DriverConfig":{"Name":"local","Options":{"k":"v"}}}}""")]
    [InlineData("type=volume,\"dst=/a,b\"", """{"Type":"volume","Target":"/a,b"}""")]
    [InlineData("type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-recursive=readonly",
        """{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"rslave","ReadOnlyForceRecursive":true}}""")]
    public void Mounts_are_read(string spec, string json) => Assert.Equal(json, MountSpec.Parse(spec).ToJsonString());

    [Theory]
    [InlineData("", "EOF")]
    [InlineData("type=bind", "target is required")]
    [InlineData("foo", "invalid field 'foo' must be a key=value pair")]
    [InlineData("target=/x,zz=1", "unexpected key 'zz' in 'zz=1'")]
    [InlineData("type=volume,dst=/a,ro=zz", "invalid value for ro: zz")]
    [InlineData("type=tmpfs,dst=/a,tmpfs-mode=9", "invalid value for tmpfs-mode: 9")]
    [InlineData("type=bind,src=/a,dst=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'")]
    [InlineData("type=,dst=/x", "type is required")]
    public void Wrong_mounts_are_refused(string spec, string message)
        => Assert.Equal(message, Assert.Throws<FlagValueException>(() => MountSpec.Parse(spec)).Message);

    [Fact]
    public void An_environment_file_is_read_line_by_line()
        => Check("\uFEFFA=b\n# comment\n\n  C=d e \r\nHOME\nNOPE_NOT_SET\nE=\n", "A=b|C=d e |HOME=here|E=");

    [Theory]
    [InlineData(" =x\n", "invalid env file (PATH): no variable name on line '=x'")]
    [InlineData("a b=1\n", "invalid env file (PATH): variable 'a b' contains whitespaces")]
    public void A_wrong_environment_file_names_the_line(string text, string message)
    {
        using var file = new TemporaryFile(text);
        var error = Assert.Throws<CliException>(() => KeyValueFiles.Read(file.Path, "env", static _ => null));
        Assert.Equal(message.Replace("PATH", file.Path, StringComparison.Ordinal), error.Message);
    }

    [Fact]
    public void A_missing_environment_file_is_told_as_go_tells_it()
        => Assert.Equal("open /nofile: no such file or directory", Assert.Throws<CliException>(() => KeyValueFiles.Read("/nofile", "env", static _ => null)).Message);

    [Theory]
    [InlineData("-it --rm --name n -e A=b -v /h:/c:ro -v /anon -p 80:90 --memory 64m --cpus 1.5 -w /w -u 1:2 img sh -c x",
        """{"Image":"img","AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"OpenStdin":true,"StdinOnce":true,"User":"1:2","WorkingDir":"/w","Cmd":["sh","-c","x"],"Volumes":{"/anon":{}},"Env":["A=b"],"ExposedPorts":{"90/tcp":{}},"HostConfig":{"NetworkMode":"default","Binds":["/h:/c:ro"],"PortBindings":{"90/tcp":[{"HostIp":"","HostPort":"80"}]},"AutoRemove":true,"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"LogConfig":{"Type":"","Config":{}},"NanoCpus":1500000000,"Memory":67108864,"ConsoleSize":SIZE}}""")]
    [InlineData("--entrypoint= -a stdout --network n1 --network-alias al --init --health-cmd true --stop-timeout 3 img",
        """{"Image":"img","AttachStdin":false,"AttachStdout":true,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"StopTimeout":3,"Entrypoint":[""],"Healthcheck":{"Interval":0,"Timeout":0,"StartPeriod":0,"StartInterval":0,"Retries":0,"Test":["CMD-SHELL","true"]},"HostConfig":{"NetworkMode":"n1","Init":true,"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"LogConfig":{"Type":"","Config":{}}},"NetworkingConfig":{"EndpointsConfig":{"n1":{"Aliases":["al"]}}}}""")]
    public void Flags_become_a_request(string line, string json)
    {
        var flags = new FlagSet();
        var container = new ContainerFlags(flags);
        var args = flags.Parse(line.Split(' '), interspersed: false);
        var (height, width) = Sampan.Linux.Terminal.Size(1);
        Assert.Equal(json.Replace("SIZE", $"[{height},{width}]", StringComparison.Ordinal), ContainerRequest.Build(container, args).ToJsonString());
    }

    [Theory]
    [InlineData("-v a:b:c:d img", "invalid spec: a:b:c:d: too many colons")]
    [InlineData("--network a --network host img", "conflicting options: cannot attach both user-defined and non-user-defined network-modes")]
    [InlineData("--network bridge --network a img", "conflicting options: cannot attach both user-defined and non-user-defined network-modes")]
    [InlineData("--network name=a,alias=x --network-alias y img", "conflicting options: cannot specify both --network-alias and per-network alias")]
    [InlineData("--network name=a,ip=10.0.0.1 --ip 10.0.0.2 img", "conflicting options: cannot specify both --ip and per-network IPv4 address")]
    [InlineData("--network-alias y img", "network-scoped aliases are only supported for user-defined networks")]
    [InlineData("--rm --restart always img", "conflicting options: cannot specify both --restart and --rm")]
    [InlineData("--health-cmd x --no-healthcheck img", "--no-healthcheck conflicts with --health-* options")]
    [InlineData("--pull foo img", "invalid pull option: 'foo': must be one of \"always\", \"missing\" or \"never\"")]
    [InlineData("--security-opt foo img", "Invalid --security-opt: \"foo\"")]
    [InlineData("--pid foo img", "--pid: invalid PID mode")]
    [InlineData("--mac-address zz img", "zz is not a valid mac address")]
    [InlineData("--expose 80:80 img", "invalid port format for --expose: 80:80")]
    [InlineData("--restart on-failure:x img", "invalid restart policy format: maximum retry count must be an integer")]
    public void Contradictions_are_refused(string line, string message)
    {
        var flags = new FlagSet();
        var container = new ContainerFlags(flags);
        var args = flags.Parse(line.Split(' '), interspersed: false);
        Assert.Equal(message, Assert.Throws<CliException>(() => ContainerRequest.Build(container, args)).Message);
    }

    [Theory]
    [InlineData("Abc", "invalid reference format: repository name (library/Abc) must be lowercase")]
    [InlineData("a//b", "invalid reference format")]
    [InlineData("", "invalid reference format")]
    [InlineData("a b", "invalid reference format")]
    [InlineData("docker.io/library/x@sha256:abc", "invalid reference format")]
    public void Wrong_references_are_refused(string reference, string message)
        => Assert.Equal(message, Assert.Throws<CliException>(() => OptionChecks.Reference(reference)).Message);

    [Theory]
    [InlineData("busybox")]
    [InlineData("localhost:5000/a/b:Tag")]
    [InlineData("docker.io/library/x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public void Right_references_pass(string reference) => OptionChecks.Reference(reference);

    private static void Check(string text, string expected)
    {
        using var file = new TemporaryFile(text);
        Assert.Equal(expected, string.Join('|', KeyValueFiles.Read(file.Path, "env", static name => name == "HOME" ? "here" : null)));
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"sampan-{Guid.NewGuid():N}");

        public void Dispose() => File.Delete(Path);
    }
}
