using Sampan.Api;
using Sampan.Runtime;

namespace Sampan.Engine.Containers;

/// <summary>The filter for a container with these capabilities (names like CAP_CHOWN); null for none.</summary>
internal delegate Oci.Seccomp? SeccompPolicy(IReadOnlyCollection<string> capabilities);

/// <summary>What <c>--security-opt</c> asks for. What cannot be kept is refused: each is a promise about the container.</summary>
internal sealed record SecurityOptions
{
    public const string Builtin = "builtin", Unconfined = "unconfined";

    /// <summary>Null where nothing is said.</summary>
    public bool? NoNewPrivileges { get; private init; }

    /// <summary><see cref="Builtin"/>, <see cref="Unconfined"/> or a profile in JSON; null where nothing is said.</summary>
    public string? Seccomp { get; private init; }

    /// <summary>Errors are dockerd's where it has them.</summary>
    /// <exception cref="EngineException">An option that does not exist, or that is not kept here (InvalidParameter).</exception>
    public static SecurityOptions Of(HostConfig host) => (host.SecurityOpt ?? []).Aggregate(new SecurityOptions(), Add);

    /// <param name="seccomp">As <see cref="Seccomp"/>.</param>
    /// <exception cref="EngineException">It is not a profile (InvalidParameter).</exception>
    public static SeccompPolicy Policy(string seccomp)
    {
        try
        {
            return seccomp switch
            {
                Unconfined => _ => null,
                Builtin => DefaultSeccomp.For,
                _ => CustomSeccomp.Parse(seccomp).For,
            };
        }
        catch (ArgumentException e)
        {
            throw new EngineException(ErrorKind.InvalidParameter, $"decoding seccomp profile failed: {e.Message}", e);
        }
    }

    /// <summary>The policy for a container.</summary>
    /// <param name="host">What was asked.</param>
    /// <param name="usual">The daemon's <c>--seccomp-profile</c>.</param>
    /// <exception cref="EngineException">The profile is not one (InvalidParameter).</exception>
    public static SeccompPolicy PolicyOf(HostConfig host, SeccompPolicy usual) =>
        Of(host).Seccomp is { } own ? Policy(own) : host.Privileged ? Policy(Unconfined) : usual;

    private static SecurityOptions Add(SecurityOptions options, string text)
    {
        if (text is "no-new-privileges")
        {
            return options with { NoNewPrivileges = true };
        }

        // A colon parts name and value as well, as in Docker's first versions.
        var at = text.IndexOf('=') is >= 0 and var equals ? equals : text.IndexOf(':');
        if (at < 0)
        {
            throw EngineException.Invalid($"invalid --security-opt 1: \"{text}\"");
        }

        var value = text[(at + 1)..];
        return text[..at] switch
        {
            "no-new-privileges" => options with
            {
                NoNewPrivileges = bool.TryParse(value, out var on) ? on : throw EngineException.Invalid($"invalid --security-opt 2: \"{text}\""),
            },
            "seccomp" => options with { Seccomp = value },
            "apparmor" when value is Unconfined or "" => options,
            "apparmor" => throw EngineException.Invalid($"--security-opt \"{text}\": profiles of AppArmor are not applied here, only {Unconfined} is"),

            // Labels are for SELinux; without it they say nothing, in Docker as well.
            "label" when value == "disable" || !Directory.Exists("/sys/fs/selinux") => options,
            "label" => throw EngineException.Invalid($"--security-opt \"{text}\": labels of SELinux are not applied here, only \"label=disable\" is"),

            // Docker's command line says this by MaskedPaths and ReadonlyPaths.
            "systempaths" when value == Unconfined => options,
            _ => throw EngineException.Invalid($"invalid --security-opt 2: \"{text}\""),
        };
    }
}
