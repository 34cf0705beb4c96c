using Sampan.Oci;
using Xunit;

namespace Sampan.Tests.Unit.Oci;

/// <summary>Docker's grammar of image names.</summary>
public sealed class ImageReferenceTests
{
    private const string Hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("debian", "docker.io/library/debian:latest", "debian:latest")]
    [InlineData("debian:12", "docker.io/library/debian:12", "debian:12")]
    [InlineData("library/debian", "docker.io/library/debian:latest", "debian:latest")]
    [InlineData("docker.io/debian", "docker.io/library/debian:latest", "debian:latest")]
    [InlineData("index.docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest")]
    [InlineData("user/app", "docker.io/user/app:latest", "user/app:latest")]
    [InlineData("a/b/c:1", "docker.io/a/b/c:1", "a/b/c:1")]
    [InlineData("localhost/app", "localhost/app:latest", "localhost/app:latest")]
    [InlineData("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1")]
    [InlineData("example.com/app", "example.com/app:latest", "example.com/app:latest")]
    [InlineData("Example.com/app", "Example.com/app:latest", "Example.com/app:latest")]
    [InlineData("FOO/app", "FOO/app:latest", "FOO/app:latest")]
    [InlineData("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest")]
    [InlineData("[2001:db8::1]/app", "[2001:db8::1]/app:latest", "[2001:db8::1]/app:latest")]
    [InlineData("app__x.y-z---w", "docker.io/library/app__x.y-z---w:latest", "app__x.y-z---w:latest")]
    [InlineData("app:Tag_1.2-3", "docker.io/library/app:Tag_1.2-3", "app:Tag_1.2-3")]
    [InlineData("app@sha256:" + Hex, "docker.io/library/app@sha256:" + Hex, "app@sha256:" + Hex)]
    [InlineData("app:1@sha256:" + Hex, "docker.io/library/app:1@sha256:" + Hex, "app:1@sha256:" + Hex)]
    [InlineData("abcdef", "docker.io/library/abcdef:latest", "abcdef:latest")]
    public void Names_become_canonical_and_back(string text, string canonical, string familiar)
    {
        var reference = ImageReference.Parse(text);
        Assert.Equal((canonical, familiar), (reference.ToString(), reference.FamiliarString));
        Assert.Equal(reference, ImageReference.Parse(canonical));
        Assert.Equal(reference, ImageReference.Parse(familiar));
    }

    [Theory]
    [InlineData("", "invalid reference format")]
    [InlineData(":tag", "invalid reference format")]
    [InlineData("a:", "invalid reference format")]
    [InlineData("a:b:c", "invalid reference format")]
    [InlineData("a:-x", "invalid reference format")]
    [InlineData("a//b", "invalid reference format")]
    [InlineData("/a", "invalid reference format")]
    [InlineData("a/", "invalid reference format")]
    [InlineData("-a", "invalid reference format")]
    [InlineData("a-", "invalid reference format")]
    [InlineData("a..b", "invalid reference format")]
    [InlineData("a___b", "invalid reference format")]
    [InlineData("a._b", "invalid reference format")]
    [InlineData("a b", "invalid reference format")]
    [InlineData("a@sha256:12", "invalid reference format")]
    [InlineData("a@sha256:0123456789abcdef0123456789abcdef", "invalid checksum digest length")]
    [InlineData("a@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm")]
    [InlineData("example..com/a", "invalid reference format")]
    [InlineData("host:port/a", "invalid reference format")]
    [InlineData("[::1/a", "invalid reference format")]
    [InlineData("https://x/a", "invalid reference format")]
    [InlineData("Foo", "invalid reference format: repository name (library/Foo) must be lowercase")]
    [InlineData("user/Foo:Tag", "invalid reference format: repository name (user/Foo) must be lowercase")]
    [InlineData(Hex, "invalid repository name (" + Hex + "), cannot specify 64-byte hexadecimal strings")]
    public void What_is_no_name_is_told_in_dockers_words(string text, string expected)
    {
        Assert.Equal(expected, Assert.Throws<FormatException>(() => ImageReference.Parse(text)).Message);
        Assert.False(ImageReference.TryParse(text, out _));
    }

    [Fact]
    public void Lengths_have_limits()
    {
        Assert.Equal("repository name must not be more than 255 characters", Assert.Throws<FormatException>(() => ImageReference.Parse(new string('a', 256))).Message);
        Assert.Equal("invalid reference format", Assert.Throws<FormatException>(() => ImageReference.Parse("a:" + new string('t', 129))).Message);
        Assert.Equal(128, ImageReference.Parse("a:" + new string('t', 128)).Tag!.Length);
        Assert.Null(ImageReference.ParseName("a").Tag);
    }

    [Theory]
    [InlineData("linux/amd64", "linux/amd64")]
    [InlineData("linux/x86_64", "linux/amd64")]
    [InlineData("linux/aarch64", "linux/arm64")]
    [InlineData("linux/arm64/v8", "linux/arm64")]
    [InlineData("linux/arm/7", "linux/arm/v7")]
    [InlineData("armhf", "linux/arm/v7")]
    [InlineData("arm64", "linux/arm64")]
    [InlineData("Linux/AMD64", "linux/amd64")]
    public void Platforms_are_normalized(string text, string expected) => Assert.Equal(expected, Platform.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("a/b/c/d")]
    [InlineData("linux/")]
    [InlineData("lin ux/amd64")]
    [InlineData("plan10")]
    public void What_is_no_platform_is_refused(string text) => Assert.Throws<FormatException>(() => Platform.Parse(text));
}
