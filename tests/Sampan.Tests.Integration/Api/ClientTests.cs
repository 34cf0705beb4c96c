using System.Text;
using Docker.DotNet;
using Docker.DotNet.Models;
using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Api;

/// <summary>Other people's client libraries.</summary>
public sealed class ClientTests(SharedDaemon shared) : EngineTests(shared, CommandLine.Docker)
{
    [Fact]
    public async Task Docker_DotNet_runs_a_container_and_execs_in_it()
    {
        using DockerClient client = new DockerClientBuilder().WithEndpoint(new Uri(Daemon.Host)).Build();
        Assert.NotEmpty((await client.System.GetVersionAsync())?.APIVersion ?? "");
        string name = NewName();
        CreateContainerResponse created = await client.Containers.CreateContainerAsync(new CreateContainerParameters
        {
            Name = name,
            Image = "busybox",
            Cmd = ["sh", "-c", "echo hello; sleep 1000"],
        });
        await using Container container = Cleaned(name);
        Assert.True(await client.Containers.StartContainerAsync(created.ID, new ContainerStartParameters()));
        ContainerInspectResponse inspected = await client.Containers.InspectContainerAsync(created.ID);
        Assert.True(inspected.State?.Running);
        IList<ContainerListResponse> listed = await client.Containers.ListContainersAsync(new ContainersListParameters());
        Assert.Contains(listed, c => c.ID == created.ID);
        await client.Containers.StopContainerAsync(created.ID, new ContainerStopParameters { WaitBeforeKillSeconds = 1 });
        ContainerWaitResponse waited = await client.Containers.WaitContainerAsync(created.ID);
        Assert.Equal(137, waited.StatusCode);
        await client.Containers.RemoveContainerAsync(created.ID, new ContainerRemoveParameters { Force = true });
    }

    [Fact]
    public async Task Python_s_docker_module_builds_runs_and_execs()
    {
        Assert.SkipUnless(File.Exists("/usr/lib/python3/dist-packages/docker/__init__.py"), "python3-docker is not installed");
        const string script = """
            import docker, io, sys
            client = docker.DockerClient(base_url=sys.argv[1])
            assert client.ping()
            image, log = client.images.build(fileobj=io.BytesIO(b'FROM busybox\nRUN echo built >/file\n'), tag=sys.argv[2], rm=True)
            assert client.containers.run(image, 'cat /file', remove=True) == b'built\n'
            c = client.containers.run(image, 'sleep 1000', detach=True, labels={'a': 'b'}, environment={'X': 'y'})
            code, output = c.exec_run(['sh', '-c', 'echo $X; exit 3'])
            assert (code, output) == (3, b'y\n'), (code, output)
            code, output = c.exec_run(['sh', '-c', 'echo out; echo err >&2'], demux=True)
            assert output == (b'out\n', b'err\n'), output
            assert c in client.containers.list(filters={'label': 'a=b'})
            c.kill()
            assert c.wait()['StatusCode'] == 137
            try:
                client.containers.run(image, 'sh -c "exit 7"')
            except docker.errors.ContainerError as e:
                assert e.exit_status == 7
                e.container.remove()
            c.remove()
            client.images.remove(sys.argv[2])
            try:
                client.containers.get('no-such-container')
                raise AssertionError('found')
            except docker.errors.NotFound:
                print('all well')
            """;
        var start = new System.Diagnostics.ProcessStartInfo("/usr/bin/python3", ["-", Daemon.Host, NewName()]);
        await using var python = new Running(start);
        await python.Input.WriteAsync(Encoding.UTF8.GetBytes(script));
        python.CloseInput();
        (await python.ResultAsync(90)).Succeeds().Prints("all well");
    }

    [Fact]
    public async Task Output_does_not_come_along_with_the_head_of_the_answer()
    {
        Assert.SkipWhen(Subject.IsReference, "dockerd is slow enough that nobody notices");
        await using Container container = await Idle();
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(Daemon.Socket));
        string created = await Ask($"/containers/{container}/exec", """{"Cmd":["echo","out"],"AttachStdout":true}""", "");
        string id = created[(created.IndexOf("\"Id\":\"", StringComparison.Ordinal) + 6)..].Split('"')[0];
        // Long enough for the command to have written its line.
        string head = await Ask($"/exec/{id}/start", "{}", "Connection: Upgrade\r\nUpgrade: tcp\r\n", 500);
        Assert.StartsWith("HTTP/1.1 101", head);
        Assert.EndsWith("\r\n\r\n", head);
        Assert.EndsWith("out\n", await Read());

        async Task<string> Ask(string path, string body, string headers, int pause = 0)
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                $"POST /v1.45{path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n{headers}\r\n{body}"));
            await Task.Delay(pause);
            return await Read();
        }

        async Task<string> Read()
        {
            byte[] buffer = new byte[64 * 1024];
            return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
        }
    }
}
