using Sampan.Linux;
using Sampan.Oci;
using Sampan.Runtime;
using Xunit;

namespace Sampan.Tests.Unit.Runtime;

/// <summary>How a mount's options are sorted.</summary>
public sealed class MountOptionsTests
{
    [Fact]
    public void Flags_and_data_of_a_file_system_are_told_apart()
    {
        var options = Parse("tmpfs", "nosuid", "nodev", "mode=755", "size=65536k", "nr_inodes=10", "inode64");
        Assert.Equal(Raw.MOUNT_ATTR_NOSUID | Raw.MOUNT_ATTR_NODEV, options.Set);
        Assert.Equal([("mode", "755"), ("size", "65536k"), ("nr_inodes", "10"), ("inode64", null)], options.Data);
        Assert.False(options.Bind);
    }

    [Fact]
    public void Read_only_with_an_r_in_front_reaches_below_and_without_does_not()
    {
        var plain = Parse("bind", "rbind", "ro");
        Assert.True(plain.RecursiveBind);
        Assert.Equal((Raw.MOUNT_ATTR_RDONLY, 0UL), (plain.Set, plain.RecursiveSet));
        var recursive = Parse("bind", "rbind", "rro");
        Assert.Equal((0UL, Raw.MOUNT_ATTR_RDONLY), (recursive.Set, recursive.RecursiveSet));
    }

    [Fact]
    public void The_last_of_opposites_wins()
    {
        var options = Parse("tmpfs", "ro", "rw", "noexec", "exec", "noexec");
        Assert.Equal(Raw.MOUNT_ATTR_NOEXEC, options.Set);
        Assert.Equal(Raw.MOUNT_ATTR_RDONLY, options.Clear);
    }

    [Fact]
    public void A_way_to_keep_access_times_clears_the_others()
    {
        // mount_setattr(2) refuses one of them without the whole field in attr_clr.
        Assert.Equal((Raw.MOUNT_ATTR_NOATIME, Raw.MOUNT_ATTR_ATIME), (Parse("bind", "noatime").Set, Parse("bind", "noatime").Clear));
        var last = Parse("bind", "noatime", "strictatime");
        Assert.Equal((Raw.MOUNT_ATTR_STRICTATIME, Raw.MOUNT_ATTR_ATIME), (last.Set, last.Clear));
    }

    [Theory]
    [InlineData("rprivate", Raw.MS_PRIVATE, true)]
    [InlineData("slave", Raw.MS_SLAVE, false)]
    [InlineData("rshared", Raw.MS_SHARED, true)]
    [InlineData("runbindable", Raw.MS_UNBINDABLE, true)]
    public void Propagation_is_one_word_with_or_without_an_r(string option, ulong propagation, bool recursive)
    {
        var options = Parse("bind", option);
        Assert.Equal((propagation, recursive), (options.Propagation, options.RecursivePropagation));
    }

    [Fact]
    public void A_mount_whose_destination_is_the_root_or_relative_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new MountPlan(new Mount { Destination = "/", Type = "tmpfs" }, "/"));
        Assert.Throws<ArgumentException>(() => new MountPlan(new Mount { Destination = "data", Type = "tmpfs" }, "/"));
    }

    private static MountOptions Parse(string type, params string[] options) => MountOptions.Parse(new Mount { Destination = "/x", Type = type, Options = [.. options] });
}
