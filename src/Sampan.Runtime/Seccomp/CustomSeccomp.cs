using System.Text.Json;
using Sampan.Oci;

namespace Sampan.Runtime;

/// <summary>A policy of the user's own in place of <see cref="DefaultSeccomp"/>, read once and applied to containers.</summary>
public sealed class CustomSeccomp
{
    private readonly SeccompProfile _profile;

    private CustomSeccomp(SeccompProfile profile) => _profile = profile;

    /// <param name="json">The profile, in Docker's notation.</param>
    /// <exception cref="ArgumentException">It is not JSON, or names an action, operator or condition that does not exist.</exception>
    public static CustomSeccomp Parse(string json)
    {
        try
        {
            var profile = JsonSerializer.Deserialize(json, RuntimeJson.Default.SeccompProfile) ?? throw new ArgumentException("it is empty");
            if (profile is { Architectures.Count: > 0, ArchMap.Count: > 0 })
            {
                throw new ArgumentException("use either 'architectures' or 'archMap'");
            }

            if (profile.Syscalls?.Find(r => r is { Name.Length: > 0, Names.Count: > 0 }) is { } both)
            {
                throw new ArgumentException($"'name' and 'names' of a rule are both given ('{both.Name}')");
            }

            var custom = new CustomSeccomp(profile);
            SeccompCompiler.Compile(custom.For(CapabilityNames.All));
            return custom;
        }
        catch (JsonException e)
        {
            throw new ArgumentException(e.Message, e);
        }
    }

    /// <summary>The rules that hold on this machine for a container with these capabilities (names like CAP_CHOWN).</summary>
    public Seccomp For(IReadOnlyCollection<string> capabilities) => new()
    {
        DefaultAction = _profile.DefaultAction,
        DefaultErrnoRet = _profile.DefaultErrnoRet,
        Architectures = _profile.ArchMap?.Find(a => a.Architecture == SyscallNumbers.Native) is { } own
            ? [own.Architecture, .. own.SubArchitectures ?? []] : _profile.Architectures,
        Flags = _profile.Flags,
        Syscalls = [.. (_profile.Syscalls ?? []).Where(rule => Holds(rule, capabilities)).Select(rule => new SeccompRule
        {
            Names = rule.Names is { Count: > 0 } names ? names : rule.Name is { Length: > 0 } name ? [name] : [],
            Action = rule.Action,
            ErrnoRet = rule.ErrnoRet,
            Args = rule.Args,
        })],
    };

    private static bool Holds(SeccompProfileRule rule, IReadOnlyCollection<string> capabilities)
    {
        var (with, without) = (rule.Includes ?? new(), rule.Excludes ?? new());
        return (with.Caps ?? []).All(capabilities.Contains)
            && (with.Arches is not { Count: > 0 } || with.Arches.Contains(Platform.Current.Architecture))
            && (with.MinKernel is null || Kernel >= Version(with.MinKernel))
            && !(without.Caps ?? []).Any(capabilities.Contains)
            && without.Arches?.Contains(Platform.Current.Architecture) != true
            && (without.MinKernel is null || Kernel < Version(without.MinKernel));
    }

    private static readonly Version Kernel = Environment.OSVersion.Version;

    private static Version Version(string text) =>
        System.Version.TryParse(text, out var version) ? version : throw new ArgumentException($"'{text}' is not a kernel's version, as 4.8");
}
