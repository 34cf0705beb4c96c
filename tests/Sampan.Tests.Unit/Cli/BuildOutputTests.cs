using Sampan.Cli.CommandLine;
using Sampan.Cli.Commands.Images;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary><c>--output</c> and the metadata file.</summary>
public sealed class BuildOutputTests
{
    [Theory]
    [InlineData("out", "local", "out", false)]
    [InlineData("-", "tar", "-", false)]
    [InlineData("type=local,dest=/a/b", "local", "/a/b", false)]
    [InlineData("type=tar,dest=a.tar", "tar", "a.tar", false)]
    [InlineData("dest=d,tar=false,type=oci", "oci", "d", true)]
    [InlineData("type=docker", "docker", "", false)]
    public void An_output_is_read(string text, string type, string destination, bool unpacked)
    {
        var output = BuildOutput.Parse([text], []).Single();
        Assert.Equal((type, destination, unpacked), (output.Type, output.Destination, output.Unpacked));
        Assert.Equal(destination == "-", output.ToStdout);
        Assert.Equal(text == "type=docker", output.IsStored);
    }

    [Theory]
    [InlineData("type=local", "dest is required for an output of type local")]
    [InlineData("type=zip,dest=x", "unsupported output type \"zip\" (local, tar, oci, docker, image or registry)")]
    [InlineData("type=image,dest=x", "an output of type image has no dest")]
    [InlineData("type=tar,dst=x", "unknown key \"dst\" in --output type=tar,dst=x (type, dest, name, tar, push)")]
    [InlineData("type=tar,x", "invalid field \"x\" in --output type=tar,x: it must be a key=value pair")]
    [InlineData("type=tar,dest=a,tar=false", "tar=false is for an output of type oci or docker with dest")]
    [InlineData("type=image,push=true", "an output of type image that is pushed needs a name: use --tag or name=NAME")]
    [InlineData("type=tar,dest=a,push=true", "push=true is for an output of type image, not tar")]
    public void A_wrong_output_is_refused(string text, string message) =>
        Assert.Equal(message, Assert.Throws<CliException>(() => BuildOutput.Parse([text], [])).Message);

    [Fact]
    public void Only_one_output_can_have_standard_output() =>
        Assert.Equal("only one output can go to standard output", Assert.Throws<CliException>(() => BuildOutput.Parse(["-", "type=oci,dest=-"], [])).Message);

    [Fact]
    public void Metadata_names_the_image_in_full()
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(BuildOutput.Metadata("sha256:1", ["a", "b/c:d"]))!;
        Assert.Equal("sha256:1", (string?)json["containerimage.config.digest"]);
        Assert.Equal("docker.io/library/a:latest,docker.io/b/c:d", (string?)json["image.name"]);
    }
}
