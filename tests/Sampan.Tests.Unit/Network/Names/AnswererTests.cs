using Sampan.Network.Names;
using Xunit;

namespace Sampan.Tests.Unit.Network.Names;

/// <summary>What containers are answered, without sockets.</summary>
public sealed class AnswererTests : IDisposable
{
    private readonly ResolverLoop _loop = new();
    private readonly NameTable _names = new();
    private readonly AnswerCache _cache = new();
    private readonly Answerer _answerer;

    public AnswererTests()
    {
        // No server at all: what is not known here is SERVFAIL.
        _answerer = new Answerer(_names, _cache, new Upstreams(() => ""), new Forwarder(_loop, _cache), _loop);
        _names.Put(Container("a", ("blue", "10.0.0.1", ["alpha", "aaaaaaaaaaaa", "shared"])));
        _names.Put(Container("b", ("blue", "10.0.0.2", ["beta", "Shared"]), ("my.red", "10.9.0.2", ["beta"])));
        _names.Put(Container("c", ("my.red", "10.9.0.3", ["gamma"])));
    }

    public void Dispose() => _loop.Dispose();

    [Theory]
    [InlineData("a", "beta", Dns.A, "0 A 10.0.0.2")]
    [InlineData("a", "BeTa", Dns.A, "0 A 10.0.0.2")]
    [InlineData("a", "beta.blue", Dns.A, "0 A 10.0.0.2")]
    [InlineData("b", "beta.my.red", Dns.A, "0 A 10.9.0.2")]
    [InlineData("b", "gamma", Dns.A, "0 A 10.9.0.3")]
    [InlineData("a", "aaaaaaaaaaaa", Dns.A, "0 A 10.0.0.1")]
    [InlineData("a", "beta", Dns.AAAA, "0")]
    [InlineData("a", "beta", 15, "0")]
    [InlineData("a", "beta", Dns.ANY, "0 A 10.0.0.2")]
    [InlineData("a", "gamma", Dns.A, "2")]
    [InlineData("a", "beta.my.red", Dns.A, "2")]
    [InlineData("a", "2.0.0.10.in-addr.arpa", Dns.PTR, "0 PTR beta.blue")]
    [InlineData("b", "2.0.9.10.in-addr.arpa", Dns.PTR, "0 PTR beta.my.red")]
    [InlineData("a", "2.0.9.10.in-addr.arpa", Dns.PTR, "2")]
    [InlineData("a", "2.0.0.10.9.in-addr.arpa", Dns.PTR, "2")]
    [InlineData("a", "300.0.0.10.in-addr.arpa", Dns.PTR, "2")]
    public void A_container_is_told_what_its_own_networks_know(string asker, string name, int type, string expected) =>
        Assert.Equal(expected, Ask(asker, Wire.Query(name, (ushort)type)));

    [Fact]
    public void Bearers_of_one_name_are_told_in_turn() => Assert.Equal(
        ["0 A 10.0.0.1 A 10.0.0.2", "0 A 10.0.0.2 A 10.0.0.1", "0 A 10.0.0.1 A 10.0.0.2"],
        Enumerable.Range(0, 3).Select(_ => Ask("a", Wire.Query("shared"))));

    [Fact]
    public void Bearers_are_told_in_turn_to_those_who_ask_for_both_families_each_time() => Assert.Equal(
        ["0 A 10.0.0.1 A 10.0.0.2", "0", "0 A 10.0.0.2 A 10.0.0.1", "0", "0 A 10.0.0.1 A 10.0.0.2"],
        Enumerable.Range(0, 5).Select(i => Ask("a", Wire.Query("shared", i % 2 == 0 ? Dns.A : Dns.AAAA))));

    [Fact]
    public void More_addresses_than_a_datagram_holds_are_cut_and_whole_by_stream()
    {
        for (var i = 1; i <= 100; i++)
        {
            _names.Put(Container($"m{i}", ("blue", $"10.0.1.{i}", ["many"])));
        }

        var cut = Ask("a", Wire.Query("many"))!;
        Assert.EndsWith(" TC", cut);
        Assert.Equal(30, cut.Split(" A ").Length - 1);
        Assert.Equal(101, Ask("a", Wire.Query("many"), isStream: true)!.Split(" A ").Length);
        Assert.Equal(101, Ask("a", Wire.Query("many", payload: 4096))!.Split(" A ").Length);
    }

    [Fact]
    public void Links_are_names_for_one_container_alone()
    {
        var linked = Container("d", ("blue", "10.0.0.4", ["delta"]));
        linked.Endpoints[0].Links["db"] = "alpha";
        _names.Put(linked);
        Assert.Equal("0 A 10.0.0.1", Ask("d", Wire.Query("db")));
        Assert.Equal("0 A 10.0.0.1", Ask("d", Wire.Query("db.blue")));
        Assert.Equal("2", Ask("a", Wire.Query("db")));
    }

    [Fact]
    public void A_change_replaces_what_was_known()
    {
        _names.Put(Container("b", ("blue", "10.0.0.9", ["bravo"])));
        Assert.Equal(["2", "0 A 10.0.0.9", "0 A 10.0.0.1", "2"], ((string[])["beta", "bravo", "shared", "beta.my.red"]).Select(n => Ask("a", Wire.Query(n))));
        _names.Remove("a");
        _names.Remove("b");
        _names.Remove("c");
        Assert.Equal(["2", "2"], ((string[])["alpha", "shared"]).Select(n => Ask("a", Wire.Query(n))));
    }

    [Fact]
    public void Where_nothing_leads_out_unknown_names_do_not_exist() =>
        Assert.Equal("3 OPT", Ask(Container("a", ("blue", "10.0.0.1", [])) with { Forwards = false }, Wire.Query("example.org", payload: 1232)));

    [Fact]
    public void Names_of_one_label_stay_here_when_the_user_set_ndots()
    {
        var asker = Container("a", ("blue", "10.0.0.1", [])) with { KeepsSingleLabels = true };
        Assert.Equal(["0", "2"], ((string[])["single", "two.labels"]).Select(n => Ask(asker, Wire.Query(n))));
    }

    [Fact]
    public void Addresses_of_both_families_have_their_types()
    {
        var both = Container("e", ("blue", "10.0.0.5", ["echo"]));
        _names.Put(both with { Endpoints = [both.Endpoints[0] with { Address6 = "fd00::5" }] });
        Assert.Equal(["0 A 10.0.0.5", "0 AAAA fd00::5", "0 A 10.0.0.5 AAAA fd00::5"], ((ushort[])[Dns.A, Dns.AAAA, Dns.ANY]).Select(t => Ask("a", Wire.Query("echo", t))));
        var reverse = string.Join('.', "fd000000000000000000000000000005".Reverse()) + ".ip6.arpa";
        Assert.Equal("0 PTR echo.blue", Ask("a", Wire.Query(reverse, Dns.PTR)));
    }

    [Fact]
    public void Bad_questions_get_the_code_for_what_is_wrong()
    {
        var good = Wire.Query("beta");
        Assert.Equal("1", Ask("a", [.. good, 0]));
        Assert.Equal("1", Ask("a", good[..^1]));
        Assert.Equal("1", Ask("a", [.. Wire.Words(1, Dns.RD, 2, 0, 0, 0), .. good[12..], .. good[12..]]));
        Assert.Equal("1", Ask("a", [.. good[..12], 0xC0, 12, .. Wire.Words(Dns.A, Dns.IN)]));
        Assert.Equal("1", Ask("a", [.. good[..12], 0x40, .. good[13..]]));
        Assert.Equal("1", Ask("a", [.. good[..12], .. Wire.Name(string.Join('.', Enumerable.Repeat(new string('x', 63), 4))), .. Wire.Words(Dns.A, Dns.IN)]));
        Assert.Equal("4", Ask("a", Wire.Query("beta", flags: 0x2800)));
        Assert.Equal("0 OPT 1", Ask("a", [.. good[..10], 0, 1, .. good[12..], 0, .. Wire.Words(Dns.OPT, 1232, 0x0001, 0, 0)]));
        Assert.Null(Ask("a", Wire.Query("beta", flags: Dns.QR)));
        Assert.Null(Ask("a", good[..11]));
    }

    [Fact]
    public void The_answer_repeats_id_and_question_as_they_were_written()
    {
        var query = Wire.Query("BeTa", id: 0xBEEF);
        var answer = AskRaw("a", query)!;
        Assert.Equal(query[..2], answer[..2]);
        Assert.Equal(query[12..], answer[12..query.Length]);
    }

    [Fact]
    public void Whatever_comes_nothing_breaks()
    {
        var random = new Random(53);
        byte[][] seeds = [Wire.Query("beta"), Wire.Query("beta.blue", Dns.AAAA, payload: 4096), Wire.Query("2.0.0.10.in-addr.arpa", Dns.PTR), Wire.Query("a.b.c")];
        for (var round = 0; round < 200_000; round++)
        {
            var message = seeds[random.Next(seeds.Length)].ToArray();
            for (var changes = random.Next(1, 6); changes > 0; changes--)
            {
                message[random.Next(message.Length)] = (byte)random.Next(256);
            }

            message = random.Next(4) switch
            {
                0 => message[..random.Next(message.Length)],
                1 => [.. message, .. Enumerable.Repeat((byte)random.Next(256), random.Next(64))],
                _ => message,
            };
            if (AskRaw("a", message) is { } answer)
            {
                Assert.Equal(message[..2], answer[..2]);
                Assert.InRange(answer.Length, Dns.HeaderSize, Dns.QueryLimit);
                Wire.Show(answer);
            }

            AnswerCache.LifetimeSeconds(message);
        }
    }

    private static NamedContainer Container(string id, params (string Network, string Address, string[] Names)[] endpoints) => new()
    {
        Id = id,
        Forwards = true,
        Endpoints = [.. endpoints.Select(e => new NamedEndpoint { NetworkId = "id of " + e.Network, Network = e.Network, Address = e.Address, Names = [.. e.Names] })],
    };

    private string? Ask(string asker, byte[] message, bool isStream = false) => AskRaw(asker, message, isStream) is { } answer ? Wire.Show(answer) : null;

    private string? Ask(NamedContainer asker, byte[] message)
    {
        var to = new Mailbox();
        _answerer.Answer(new Asker(asker), to, 0, message, isStream: false);
        return to.Message is { } answer ? Wire.Show(answer) : null;
    }

    private byte[]? AskRaw(string asker, byte[] message, bool isStream = false)
    {
        var container = asker switch
        {
            "a" => Container("a", ("blue", "10.0.0.1", [])),
            "b" => Container("b", ("blue", "10.0.0.2", []), ("my.red", "10.9.0.2", [])),
            "d" => Linked(),
            _ => throw new ArgumentException(asker),
        };
        var to = new Mailbox();
        _answerer.Answer(new Asker(container), to, 0, message, isStream);
        return to.Message;
    }

    private static NamedContainer Linked()
    {
        var container = Container("d", ("blue", "10.0.0.4", ["delta"]));
        container.Endpoints[0].Links["db"] = "alpha";
        return container;
    }

    private sealed class Mailbox : IAnswerTo
    {
        public byte[]? Message { get; private set; }

        public void Answer(ReadOnlySpan<byte> message, ulong client) => Message = message.ToArray();
    }
}
