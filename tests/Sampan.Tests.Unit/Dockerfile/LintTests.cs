using System.Text;
using Sampan.Dockerfile;
using Sampan.Dockerfile.Ignore;
using Sampan.Dockerfile.Lint;
using Xunit;

namespace Sampan.Tests.Unit.Dockerfile;

/// <summary>BuildKit's rules: each is broken once and kept once.</summary>
public sealed class LintTests
{
    [Theory]
    [InlineData("FROM a AS Build", "1 StageNameCasing")]
    [InlineData("FROM a as b", "1 FromAsCasing")]
    [InlineData("from a AS b", "1 FromAsCasing")]
    [InlineData("from a as b", "")]
    [InlineData("FROM a\nRUN x \\\n\n y", "2 NoEmptyContinuation")]
    [InlineData("FROM a\nRUN x\nrun y", "3 ConsistentInstructionCasing")]
    [InlineData("from a\nrun x\nRun y", "3 ConsistentInstructionCasing")]
    [InlineData("FROM a AS b\nFROM a AS b", "2 DuplicateStageName")]
    [InlineData("FROM a AS scratch", "1 ReservedStageName")]
    [InlineData("FROM a AS context", "1 ReservedStageName")]
    [InlineData("FROM a\nCMD x", "2 JSONArgsRecommended")]
    [InlineData("FROM a\nENTRYPOINT x", "2 JSONArgsRecommended")]
    [InlineData("FROM a\nSHELL [\"sh\"]\nCMD x", "")]
    [InlineData("FROM a\nCMD [\"x\"]", "")]
    [InlineData("FROM a\nMAINTAINER me", "2 MaintainerDeprecated")]
    [InlineData("FROM a$TAG", "1 UndefinedArgInFrom")]
    [InlineData("ARG TAG=x\nFROM a$TAG", "")]
    [InlineData("FROM --platform=$BULIDPLATFORM a", "1 UndefinedArgInFrom")]
    [InlineData("FROM a\nWORKDIR x", "2 WorkdirRelativePath")]
    [InlineData("FROM a\nWORKDIR /x\nWORKDIR y", "")]
    [InlineData("FROM a AS b\nWORKDIR /x\nFROM b\nWORKDIR y", "")]
    [InlineData("FROM a\nCOPY $foo /", "2 UndefinedVar")]
    [InlineData("FROM a\nARG foo\nCOPY $foo /", "")]
    [InlineData("FROM a\nCOPY ${foo:-x} /", "")]
    [InlineData("FROM a\nENV x=$BASE y=$PATH", "")]
    [InlineData("FROM scratch\nENV x=$BASE", "2 UndefinedVar")]
    [InlineData("FROM unknown\nENV x=$foo", "")]
    [InlineData("FROM a\nRUN echo $foo", "")]
    [InlineData("FROM a\nENV v=$TARGETARCH", "2 UndefinedVar")]
    [InlineData("FROM a\nCMD [\"x\"]\nCMD [\"y\"]", "2 MultipleInstructionsDisallowed")]
    [InlineData("FROM a\nENTRYPOINT [\"x\"]\nENTRYPOINT [\"y\"]", "2 MultipleInstructionsDisallowed")]
    [InlineData("FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE", "2 MultipleInstructionsDisallowed")]
    [InlineData("FROM a\nENV x y", "2 LegacyKeyValueFormat")]
    [InlineData("FROM a\nLABEL x y", "2 LegacyKeyValueFormat")]
    [InlineData("FROM --platform=$TARGETPLATFORM a", "1 RedundantTargetPlatform")]
    [InlineData("FROM a\nARG AWS_SECRET_ACCESS_KEY", "2 SecretsUsedInArgOrEnv")]
    [InlineData("ARG API_TOKEN\nFROM a", "1 SecretsUsedInArgOrEnv")]
    [InlineData("FROM a\nENV PUBLIC_KEY=x MONKEY=y", "")]
    [InlineData("ARG TAG\nFROM a:$TAG", "2 InvalidDefaultArgInFrom")]
    [InlineData("ARG TAG\nFROM a:${TAG:-latest}", "")]
    [InlineData("ARG BASE\nFROM $BASE", "2 InvalidDefaultArgInFrom")]
    [InlineData("FROM --platform=linux/amd64 a AS b", "1 FromPlatformFlagConstDisallowed")]
    [InlineData("FROM --platform=linux/amd64 a AS build_amd64", "")]
    [InlineData("FROM a\nCOPY secret.log /", "2 CopyIgnoredFile")]
    [InlineData("FROM a\nADD ./kept/x /", "2 CopyIgnoredFile")]
    [InlineData("FROM a\nCOPY . kept *.log /x/", "")]
    [InlineData("FROM a AS b\nCOPY --from=b secret.log /", "")]
    [InlineData("# something\nFROM a AS b", "")]
    [InlineData("# check=experimental=all\n\n# something\nFROM a AS b", "4 InvalidDefinitionDescription")]
    [InlineData("# check=experimental=InvalidDefinitionDescription\n\n# b is good\nFROM a AS b\n# x\nARG y", "6 InvalidDefinitionDescription")]
    [InlineData("# check=experimental=all\nFROM a AS b\n# apart\n\nARG y", "")]
    [InlineData("FROM a\nEXPOSE 80/TcP", "2 ExposeProtoCasing")]
    [InlineData("FROM a\nEXPOSE 127.0.0.1:80:80", "2 ExposeInvalidFormat")]
    [InlineData("FROM a\nEXPOSE 80:8080", "2 ExposeInvalidFormat")]
    [InlineData("FROM a\nEXPOSE 80/tcp 100-110", "")]
    [InlineData("# check=skip=JSONArgsRecommended, StageNameCasing\nFROM a AS B\nMAINTAINER x\nCMD x", "3 MaintainerDeprecated")]
    [InlineData("# check=skip=all\nFROM a AS B\nCMD x", "")]
    public void A_rule_is_reported_at_its_line(string text, string expected) =>
        Assert.Equal(expected, string.Join(", ", Check(text).Warnings.Select(w => $"{w.Lines.Start} {w.Rule}")));

    [Fact]
    public void A_misspelt_variable_is_told_the_nearest()
    {
        Assert.Equal("Usage of undefined variable '$PAHT' (did you mean $PATH?)", Check("FROM a\nENV PATH=$PAHT:/app").Warnings.Single().Message);
        Assert.Equal("FROM argument 'VERISON' is not declared (did you mean VERSION?)", Check("ARG VERSION=1\nFROM a:$VERISON").Warnings.Single().Message);
    }

    [Fact]
    public void Warnings_fail_where_the_directive_or_the_build_argument_says_so()
    {
        Assert.Null(Check("FROM a\nCMD x").Failure);
        Assert.Equal("lint violation found for rules: JSONArgsRecommended, MaintainerDeprecated", Check("# check=error=true\nFROM a\nMAINTAINER x\nCMD x").Failure);
        Assert.Null(Check("# check=error=true\nFROM a\nCMD x", ("BUILDKIT_DOCKERFILE_CHECK", "skip=all")).Failure);
        Assert.Null(Check("# check=skip=JSONArgsRecommended;error=true\nFROM a\nCMD x").Failure);
    }

    [Theory]
    [InlineData("# check=skpi=all\nFROM a", "Dockerfile:1: invalid check option 'skpi=all' (did you mean skip?)")]
    [InlineData("# escape=`\n# check=error=maybe\nFROM a", "Dockerfile:2: check option 'error' must be true or false, not 'maybe'")]
    public void A_directive_that_cannot_be_read_names_its_line(string text, string message) =>
        Assert.Equal(message, Assert.Throws<DockerfileException>(() => Check(text)).LocatedMessage);

    [Fact]
    public void A_source_longer_than_any_path_costs_nothing_and_is_left_to_the_build() =>
        Assert.Empty(Check($"FROM a\nCOPY kept{string.Concat(Enumerable.Repeat("/a", 400_000))} /").Warnings);

    [Fact]
    public void All_rules_are_there_and_have_a_page()
    {
        Assert.Equal(21, LintRule.All.Select(r => r.Name).Distinct().Count());
        Assert.EndsWith("/json-args-recommended/", LintRule.JsonArgsRecommended.Url, StringComparison.Ordinal);
        Assert.EndsWith("/secrets-used-in-arg-or-env/", LintRule.SecretsUsedInArgOrEnv.Url, StringComparison.Ordinal);
    }

    [Fact]
    public void A_report_shows_the_lines()
    {
        var model = Model("FROM a\nMAINTAINER me\nRUN x");
        Assert.Equal("""
            Check complete, 1 warning has been found!

            WARNING: MaintainerDeprecated - https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/
            Maintainer instruction is deprecated in favor of using label
            Dockerfile:2
            --------------------
               1 |     FROM a
               2 | >>> MAINTAINER me
               3 |     RUN x
            --------------------

            """, LintText.Of(model.Source, Linter.Check(model, new())));
        var good = Model("FROM a");
        Assert.Equal("Check complete, no warnings found.\n", LintText.Of(good.Source, Linter.Check(good, new())));
    }

    private static DockerfileModel Model(string text) => DockerfileModel.Parse(Encoding.UTF8.GetBytes(text));

    private static LintReport Check(string text, params (string Name, string Value)[] args) => Linter.Check(Model(text), new()
    {
        BuildArgs = args.ToDictionary(a => a.Name, a => (string?)a.Value),
        Ignore = IgnoreMatcher.Parse("*.log\nkept\n!kept/y\n"),
        BaseEnvironment = name => name == "unknown" ? null : ["BASE"],
    });
}
