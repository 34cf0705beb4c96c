using System.Text;

namespace Sampan.Dockerfile.Lint;

/// <summary>Something that a Dockerfile may say but should not, under BuildKit's name for it.</summary>
/// <param name="Name">E.g. <c>StageNameCasing</c>; what the check directive switches.</param>
/// <param name="Summary">What is asked for, in one line.</param>
/// <param name="IsExperimental">Only reported where the check directive asks for it.</param>
public sealed record LintRule(string Name, string Summary, bool IsExperimental = false)
{
    public static readonly LintRule StageNameCasing = new(nameof(StageNameCasing), "names of stages are in lower case");

    public static readonly LintRule FromAsCasing = new(nameof(FromAsCasing), "AS is written in the same case as FROM");

    public static readonly LintRule NoEmptyContinuation = new(nameof(NoEmptyContinuation), "no empty line within a continued instruction");

    public static readonly LintRule ConsistentInstructionCasing =
        new(nameof(ConsistentInstructionCasing), "all instructions of a file are in upper case, or all in lower case");

    public static readonly LintRule DuplicateStageName = new(nameof(DuplicateStageName), "a name is given to one stage only");

    public static readonly LintRule ReservedStageName = new(nameof(ReservedStageName), "no stage is called scratch or context");

    public static readonly LintRule JsonArgsRecommended =
        new("JSONArgsRecommended", "CMD and ENTRYPOINT in exec form, so that signals reach the program and not a shell");

    public static readonly LintRule MaintainerDeprecated = new(nameof(MaintainerDeprecated), "a label names the author, not MAINTAINER");

    public static readonly LintRule UndefinedArgInFrom = new(nameof(UndefinedArgInFrom), "FROM uses only arguments that are declared before the first FROM");

    public static readonly LintRule WorkdirRelativePath =
        new(nameof(WorkdirRelativePath), "the first WORKDIR of a build is absolute, as a relative one depends on the base image");

    public static readonly LintRule UndefinedVar = new(nameof(UndefinedVar), "a variable is declared by ARG, ENV or the base image before it is used");

    public static readonly LintRule MultipleInstructionsDisallowed =
        new(nameof(MultipleInstructionsDisallowed), "one CMD, ENTRYPOINT and HEALTHCHECK in a stage, as only the last has an effect");

    public static readonly LintRule LegacyKeyValueFormat = new(nameof(LegacyKeyValueFormat), "ENV and LABEL with an equals sign between name and value");

    public static readonly LintRule RedundantTargetPlatform =
        new(nameof(RedundantTargetPlatform), "no FROM --platform=$TARGETPLATFORM, as it is the default");

    public static readonly LintRule SecretsUsedInArgOrEnv =
        new(nameof(SecretsUsedInArgOrEnv), "no secrets in ARG or ENV, as they stay in the image; RUN --mount=type=secret leaves none");

    public static readonly LintRule InvalidDefaultArgInFrom =
        new(nameof(InvalidDefaultArgInFrom), "FROM names a valid image also when no build argument is given");

    public static readonly LintRule FromPlatformFlagConstDisallowed =
        new(nameof(FromPlatformFlagConstDisallowed), "FROM --platform takes a variable, unless the stage's name says that it is for one platform");

    public static readonly LintRule CopyIgnoredFile = new(nameof(CopyIgnoredFile), "COPY and ADD name no file that the ignore file leaves out");

    public static readonly LintRule InvalidDefinitionDescription = new(
        nameof(InvalidDefinitionDescription), "a comment right above FROM or ARG begins with the name that it describes", IsExperimental: true);

    public static readonly LintRule ExposeProtoCasing = new(nameof(ExposeProtoCasing), "EXPOSE's protocols are in lower case");

    public static readonly LintRule ExposeInvalidFormat = new(nameof(ExposeInvalidFormat), "EXPOSE names ports of the container, no addresses or ports of the host");

    /// <summary>All rules, in the order in which BuildKit lists them.</summary>
    public static IReadOnlyList<LintRule> All { get; } =
    [
        StageNameCasing, FromAsCasing, NoEmptyContinuation, ConsistentInstructionCasing, DuplicateStageName, ReservedStageName, JsonArgsRecommended,
        MaintainerDeprecated, UndefinedArgInFrom, WorkdirRelativePath, UndefinedVar, MultipleInstructionsDisallowed, LegacyKeyValueFormat,
        RedundantTargetPlatform, SecretsUsedInArgOrEnv, InvalidDefaultArgInFrom, FromPlatformFlagConstDisallowed, CopyIgnoredFile,
        InvalidDefinitionDescription, ExposeProtoCasing, ExposeInvalidFormat,
    ];

    /// <summary>The page of Docker's documentation that explains the rule.</summary>
    public string Url => $"https://docs.docker.com/go/dockerfile/rule/{Dashed(Name)}/";

    /// <summary>The rule of a name; null when there is none.</summary>
    public static LintRule? Find(string name) => All.FirstOrDefault(rule => rule.Name == name);

    /// <summary><c>JSONArgsRecommended</c> becomes <c>json-args-recommended</c>: a capital begins a word where a small letter is beside it.</summary>
    private static string Dashed(string name)
    {
        var text = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var begins = i > 0 && char.IsUpper(name[i]) && (char.IsLower(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            text.Append(begins ? "-" : "").Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}
