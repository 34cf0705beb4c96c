using Sampan.Dockerfile;
using Sampan.Dockerfile.Expansion;
using Sampan.Dockerfile.Instructions;
using Sampan.Dockerfile.Parsing;
using Sampan.Oci;

namespace Sampan.Build.Stages;

/// <summary><c>--change</c> of commit and import: Dockerfile instructions that change only the configuration.</summary>
public static class ConfigChanges
{
    private const string Origin = "--change";

    private static readonly string[] Allowed =
        ["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];

    /// <summary>Applies the instructions in order.</summary>
    /// <exception cref="BuildException">One is not an instruction, or one that works on files.</exception>
    public static ImageRuntimeConfig Apply(ImageRuntimeConfig config, IEnumerable<string> changes, Platform platform)
    {
        var state = new StageState { Platform = platform, Config = config };
        var expander = new WordExpander('\\');
        foreach (var change in changes)
        {
            var keyword = change.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries).FirstOrDefault("");
            if (!Allowed.Contains(keyword.ToUpperInvariant()))
            {
                throw new BuildException(BuildErrorKind.InvalidInput, $"{keyword} is not a valid change command");
            }

            try
            {
                var instruction = InstructionParser.Parse(DockerfileParser.ParseInstruction(change, Origin), DockerfileSource.Parse(change, Origin));
                var before = state;
                state = instruction switch
                {
                    WorkdirInstruction workdir => state with
                    {
                        Config = state.Config with { WorkingDir = Directory(state, expander.Expand(workdir.Path, state.Lookup)) },
                    },
                    _ => ConfigSteps.Apply(state, instruction, w => expander.Expand(w, before.Lookup), w => expander.ExpandToWords(w, before.Lookup),
                        _ => null, _ => null),
                } ?? throw new InvalidOperationException($"{keyword} is allowed, and not known");
            }
            catch (DockerfileException e)
            {
                throw new BuildException(BuildErrorKind.InvalidInput, e.Message, e);
            }
        }

        return state.Config;
    }

    private static string Directory(StageState state, string path) => path.StartsWith('/') ? path : $"{state.WorkingDirectory.TrimEnd('/')}/{path}";
}
