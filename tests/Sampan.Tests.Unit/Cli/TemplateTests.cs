using System.Text.Json.Nodes;
using Sampan.Cli.Formatting;
using Sampan.Cli.Templates;
using Xunit;

namespace Sampan.Tests.Unit.Cli;

/// <summary>Go's templates over the API's JSON and over rows; expectations are docker 28.2's output for the same input.</summary>
public sealed class TemplateTests
{
    private const string Container = """
        {"Id":"c0ffee","Name":"/web","Args":["-g","daemon off;"],"Created":"2024-01-02T03:04:05.678901234Z",
         "State":{"Status":"running","Running":true,"Pid":42},
         "Config":{"Env":["A=b","C=d"],"Entrypoint":null,"Volumes":null,"Labels":{"x":"y","com.a/b":"z"},"ExposedPorts":{"80/tcp":{}}},
         "HostConfig":{"PidsLimit":null,"LogConfig":{"Type":"json-file","Config":{}}},
         "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"443/tcp":null},
                            "Networks":{"bridge":{"IPAddress":"172.17.0.2"}}}}
        """;

    [Theory]
    [InlineData("{{.State.Status}} {{.Name}}", "running /web")]
    [InlineData("{{json .Config.Env}}", """["A=b","C=d"]""")]
    [InlineData("{{.Config.Labels}}", "map[com.a/b:z x:y]")]
    [InlineData("{{index .Config.Labels \"com.a/b\"}}", "z")]
    [InlineData("{{index .Config.Labels \"nope\"}}.", ".")]
    [InlineData("{{.Config.Labels.nope}}", "<no value>")]
    [InlineData("{{range .Config.Env}}{{println .}}{{end}}", "A=b\nC=d\n")]
    [InlineData("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "com.a/b=z;x=y;")]
    [InlineData("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "172.17.0.2")]
    [InlineData("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080")]
    [InlineData("{{.State.Health}}", "<nil>")]
    [InlineData("{{if .State.Health}}y{{else}}n{{end}}", "n")]
    [InlineData("{{.Config.Entrypoint}} {{.Config.Volumes}} {{json .Config.Volumes}} {{.Config.ExposedPorts}}", "[] map[] null map[80/tcp:{}]")]
    [InlineData("{{.HostConfig.PidsLimit}}", "<nil>")]
    [InlineData("{{.Args}} {{len .Args}} {{join .Args \"-\"}}", "[-g daemon off;] 2 -g-daemon off;")]
    [InlineData("{{printf \"%5.2f|%x|%v\" 3.14159 255 .State.Running}}", " 3.14|ff|true")]
    [InlineData("{{with .State}}{{.Status}}{{end}}{{/* c */}}", "running")]
    [InlineData("{{ .Name | printf \"%s-%s\" \"a\" }}", "a-/web")]
    [InlineData("{{and true .Name}} {{or \"\" \"b\"}} {{not 0}}", "/web b true")]
    [InlineData("{{slice .Name 1 3}}", "we")]
    [InlineData("{{range $i, $e := .Args}}{{if $i}}, {{end}}{{$e}}{{end}}", "-g, daemon off;")]
    [InlineData("{{range .Args}}{{if eq . \"-g\"}}{{continue}}{{end}}{{.}}{{break}}{{end}}", "daemon off;")]
    [InlineData("{{define \"x\"}}<{{.}}>{{end}}{{template \"x\" .Name}}", "</web>")]
    [InlineData("{{$x := .Name}}{{$x = \"q\"}}{{$x}}", "q")]
    [InlineData("{{html \"<a&b>\"}} {{urlquery \"a b&c\"}}", "&lt;a&amp;b&gt; a+b%26c")]
    [InlineData("{{print 1 2 \"a\" \"b\" 3}}", "1 2a b3")]
    [InlineData("a {{- .Name -}} b", "a/webb")]
    [InlineData("{{if eq .State.Pid 41 42}}y{{else if .Name}}n{{end}}", "y")]
    [InlineData("{{if false}}a{{else if true}}b{{else}}c{{end}}", "b")]
    [InlineData("{{if lt 1 2}}{{if gt 2.5 1.5}}{{if le \"a\" \"b\"}}ok{{end}}{{end}}{{end}}", "ok")]
    [InlineData("{{range .Nothing}}x{{else}}none{{end}}", null)]
    [InlineData("{{range $.Config.Env}}{{.}}{{$.Name}} {{end}}", "A=b/web C=d/web ")]
    [InlineData("{{upper \"a\"}}{{lower \"B\"}}{{title \"hello world\"}}", "AbHello World")]
    [InlineData("{{range split \"a,b\" \",\"}}<{{.}}>{{end}}", "<a><b>")]
    [InlineData("{{truncate \"abcdef\" 3}}|{{pad \"x\" 2 1}}|", "abc|  x |")]
    [InlineData("{{printf \"%-6s|%6s|%06d|%+d|%q|%t\" \"ab\" \"cd\" 42 7 \"q\\\"\" true}}", "ab    |    cd|000042|+7|\"q\\\"\"|true")]
    [InlineData("{{printf \"%d %s\" \"x\" 5}}", "%!d(string=x) %!s(int=5)")]
    [InlineData("{{printf \"%d\"}} {{printf \"x\" 1}}", "%!d(MISSING) x%!(EXTRA int=1)")]
    [InlineData("{{json .HostConfig.LogConfig}}", """{"Type":"json-file","Config":{}}""")]
    [InlineData("{{range 3}}{{.}}{{end}}", "012")]
    [InlineData("{{`raw\\n`}} {{\"tab\\t\"}}{{'a'}}", "raw\\n tab\t97")]
    public void Templates_run_over_json(string template, string? expected)
    {
        var container = JsonNode.Parse(Container);
        if (expected is null) Assert.Throws<TemplateException>(() => new Template(template).Run(container));
        else Assert.Equal(expected, new Template(template).Run(container));
    }

    [Theory]
    [InlineData("{{.Foo}}", "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"")]
    [InlineData("{{.State.Foo}}", "template: :1:8: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\"")]
    [InlineData("{{.State.Health.Status}}", "template: :1:8: executing \"\" at <.State.Health.Status>: map has no entry for key \"Health\"")]
    [InlineData("{{index .Args 5}}", "template: :1:2: executing \"\" at <index .Args 5>: error calling index: index out of range: 5")]
    [InlineData("{{eq .Name 5}}", "template: :1:2: executing \"\" at <eq .Name 5>: error calling eq: incompatible types for comparison")]
    [InlineData("{{foo .}}", "template: :1: function \"foo\" not defined")]
    [InlineData("{{.Name", "template: :1: unclosed action")]
    [InlineData("{{end}}", "template: :1: unexpected {{end}}")]
    [InlineData("{{if}}x{{end}}", "template: :1: missing value for if")]
    [InlineData("{{$x}}", "template: :1: undefined variable \"$x\"")]
    [InlineData("{{break}}", "template: :1: {{break}} outside {{range}}")]
    public void Mistakes_are_told_as_go_tells_them(string template, string message)
        => Assert.Equal(message, Assert.Throws<TemplateException>(() => new Template(template).Run(JsonNode.Parse(Container))).Message);

    [Fact]
    public void Deep_nesting_is_refused_and_not_a_crash()
        => Assert.Throws<TemplateException>(() => new Template(string.Concat(Enumerable.Repeat("{{if 1}}", 5000))));

    [Fact]
    public void Deep_parentheses_are_refused_and_not_a_crash()
        => Assert.Throws<TemplateException>(() => new Template("{{" + new string('(', 5000)));

    [Theory]
    [InlineData("", "NAME      SIZE\nweb       12kB\n")]
    [InlineData("table", "NAME      SIZE\nweb       12kB\n")]
    [InlineData("table {{.Size}}\\t{{.Name}}", "SIZE      NAME\n12kB      web\n")]
    [InlineData("{{.Name}}\\t{{.Label \"a\"}}", "web\tA>\n")]
    [InlineData("json", "{\"Name\":\"web\",\"Size\":\"12kB\",\"Text\":\"\\u003cb\\u003e\"}\n")]
    [InlineData("{{json .Text}}", "\"<b>\"\n")]
    public void Tables_print_rows_in_every_format(string format, string expected)
    {
        var row = new Row("*formatter.TestContext").Field("Name", () => "web").Field("Size", () => "12kB").Field("Text", () => "<b>")
            .Method("Label", name => name.ToUpperInvariant() + ">");
        var headings = new Dictionary<string, string> { ["Name"] = "NAME", ["Size"] = "SIZE" };
        Assert.Equal(expected, new Table("table {{.Name}}\t{{.Size}}", headings, format).Render([row]));
    }

    [Fact]
    public void A_row_names_its_type_when_a_field_is_missing()
    {
        var error = Assert.Throws<TemplateException>(() => new Template("{{.Foo}}").Run(new Row("*formatter.ContainerContext")));
        Assert.Equal("template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext", error.Message);
    }
}
