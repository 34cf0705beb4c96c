using Sampan.Linux;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>
/// The options of a mount in the spec (config.md, Mounts; mount(8)), sorted into what the kernel takes apart: attributes of the mount,
/// attributes of the whole tree (the names with an r in front), propagation, and data of the file system.
/// </summary>
public sealed record MountOptions
{
    private static readonly (string Name, ulong Set, ulong Clear)[] AttributeNames =
    [
        ("ro", Raw.MOUNT_ATTR_RDONLY, 0), ("rw", 0, Raw.MOUNT_ATTR_RDONLY),
        ("nosuid", Raw.MOUNT_ATTR_NOSUID, 0), ("suid", 0, Raw.MOUNT_ATTR_NOSUID),
        ("nodev", Raw.MOUNT_ATTR_NODEV, 0), ("dev", 0, Raw.MOUNT_ATTR_NODEV),
        ("noexec", Raw.MOUNT_ATTR_NOEXEC, 0), ("exec", 0, Raw.MOUNT_ATTR_NOEXEC),
        ("nodiratime", Raw.MOUNT_ATTR_NODIRATIME, 0), ("diratime", 0, Raw.MOUNT_ATTR_NODIRATIME),
        ("nosymfollow", Raw.MOUNT_ATTR_NOSYMFOLLOW, 0), ("symfollow", 0, Raw.MOUNT_ATTR_NOSYMFOLLOW),

        // The three ways to keep access times are one field of the kernel's; relatime is its zero.
        ("noatime", Raw.MOUNT_ATTR_NOATIME, Raw.MOUNT_ATTR_ATIME), ("strictatime", Raw.MOUNT_ATTR_STRICTATIME, Raw.MOUNT_ATTR_ATIME),
        ("relatime", 0, Raw.MOUNT_ATTR_ATIME), ("atime", 0, Raw.MOUNT_ATTR_ATIME), ("norelatime", 0, Raw.MOUNT_ATTR_ATIME),
        ("nostrictatime", 0, Raw.MOUNT_ATTR_ATIME),
    ];

    private static readonly Dictionary<string, ulong> PropagationNames = new()
    {
        ["private"] = Raw.MS_PRIVATE,
        ["slave"] = Raw.MS_SLAVE,
        ["shared"] = Raw.MS_SHARED,
        ["unbindable"] = Raw.MS_UNBINDABLE,
    };

    /// <summary>Words that say what is so anyway.</summary>
    private static readonly string[] NoEffect = ["defaults", "async", "loud", "nomand", "noacl", "noiversion", "nolazytime"];

    public bool Bind { get; init; }

    /// <summary>A bind takes the mounts below its source along.</summary>
    public bool RecursiveBind { get; init; }

    /// <summary>MOUNT_ATTR_* to set and to clear on the mount itself.</summary>
    public ulong Set { get; init; }

    public ulong Clear { get; init; }

    /// <summary>MOUNT_ATTR_* to set and to clear on the mount and all below it.</summary>
    public ulong RecursiveSet { get; init; }

    public ulong RecursiveClear { get; init; }

    /// <summary>MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE; 0 when nothing is said.</summary>
    public ulong Propagation { get; init; }

    public bool RecursivePropagation { get; init; }

    /// <summary>Data of the file system, key and value; a null value is a flag.</summary>
    public IReadOnlyList<(string Key, string? Value)> Data { get; init; } = [];

    /// <summary>Sorts the options of a mount; what is not known is data for the file system, which refuses what it does not know.</summary>
    public static MountOptions Parse(Mount mount)
    {
        var result = new MountOptions { Bind = mount.Type == "bind" };
        var data = new List<(string, string?)>();
        foreach (var option in mount.Options ?? [])
        {
            result = result.With(option) ?? result.AddTo(data, option);
        }

        return result with { Data = result.Bind ? [] : data };
    }

    private MountOptions? With(string option)
    {
        switch (option)
        {
            case "bind":
                return this with { Bind = true };
            case "rbind":
                return this with { Bind = true, RecursiveBind = true };
            case var _ when NoEffect.Contains(option):
                return this;
        }

        foreach (var (name, set, clear) in AttributeNames)
        {
            if (option == name)
            {
                return this with { Set = (Set & ~clear) | set, Clear = (Clear & ~set) | clear };
            }

            if (option.Length == name.Length + 1 && option[0] == 'r' && option.AsSpan(1).SequenceEqual(name))
            {
                return this with { RecursiveSet = (RecursiveSet & ~clear) | set, RecursiveClear = (RecursiveClear & ~set) | clear };
            }
        }

        return PropagationNames.TryGetValue(option, out var one) ? this with { Propagation = one, RecursivePropagation = false }
            : option.StartsWith('r') && PropagationNames.TryGetValue(option[1..], out var all) ? this with { Propagation = all, RecursivePropagation = true }
            : null;
    }

    private MountOptions AddTo(List<(string, string?)> data, string option)
    {
        var equals = option.IndexOf('=');
        data.Add(equals < 0 ? (option, null) : (option[..equals], option[(equals + 1)..]));
        return this;
    }
}
