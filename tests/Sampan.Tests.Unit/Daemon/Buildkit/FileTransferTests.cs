using System.Formats.Tar;
using System.Text;
using System.Threading.Channels;
using Sampan.Daemon.Buildkit.Grpc;
using Sampan.Daemon.Buildkit.Session;
using Xunit;

namespace Sampan.Tests.Unit.Daemon.Buildkit;

/// <summary>Files of a client: they arrive whole whatever the order of their bytes, and nothing leads out of the directory.</summary>
public sealed class FileTransferTests
{
    private const uint File = 0x1A4, Directory = FileEntry.Directory | 0x1ED, Symlink = FileEntry.Symlink | 0x1FF;

    [Fact]
    public async Task Files_come_as_an_archive_in_order()
    {
        var client = new Client
        {
            { new("a") { Mode = Directory }, "" },
            { new("a/b") { Mode = File | 0x40, Size = 5 }, "hello" },
            { new("a/link") { Mode = Symlink, Link = "../x" }, "" },
            { new("a-") { Mode = File, Size = 2 }, "xy" },
            { new("empty") { Mode = File }, "" },
            { new("hard") { Mode = File, Size = 5, Link = "a/b" }, "" },
            { new(new string('n', 150)) { Mode = File, Size = 3 }, "xyz" },
        };
        client.SendsBackwards = true;
        var entries = await ArchiveOf(client);
        Assert.Equal(["a/", "a/b", "a/link", "a-", "empty", "hard", new string('n', 150)], entries.Select(entry => entry.Name));
        Assert.Equal([null, "hello", null, "xy", null, null, "xyz"], entries.Select(entry => entry.Content));
        Assert.Equal(["", "", "../x", "", "", "a/b", ""], entries.Select(entry => entry.Link));
        Assert.Equal(0x1E4, entries[1].Mode);
    }

    [Fact]
    public async Task Only_what_has_room_is_asked_for()
    {
        const int Large = 3 << 20;
        var client = new Client();
        for (var i = 0; i < 6; i++)
        {
            client.Add(new($"f{i}") { Mode = File, Size = Large }, new string((char)('a' + i), Large));
        }

        client.SendsBackwards = true;
        var entries = await ArchiveOf(client);
        Assert.All(entries, entry => Assert.Equal(Large, entry.Content!.Length));
        Assert.Equal(1, client.MostAsked);
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../x")]
    [InlineData("a//b")]
    [InlineData("./a")]
    [InlineData("a/")]
    [InlineData("")]
    [InlineData("no-such-directory/x")]
    public async Task Paths_that_lead_elsewhere_are_refused(string path)
    {
        var client = new Client { { new("a") { Mode = Directory }, "" }, { new(path) { Mode = File, Size = 1 }, "x" } };
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(client));
    }

    [Fact]
    public async Task A_file_below_a_symlink_is_refused()
    {
        var client = new Client { { new("a") { Mode = Symlink, Link = "/etc" }, "" }, { new("a/passwd") { Mode = File, Size = 1 }, "x" } };
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(client));
    }

    [Fact]
    public async Task Names_come_in_order_and_once()
    {
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(new() { { new("b") { Mode = File }, "" }, { new("a") { Mode = File }, "" } }));
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(new() { { new("b") { Mode = File }, "" }, { new("b") { Mode = File }, "" } }));
    }

    [Fact]
    public async Task A_hard_link_leads_to_a_file_that_came_before()
    {
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(new() { { new("a") { Mode = File, Link = "/etc/shadow" }, "" } }));
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(new() { { new("a") { Mode = File, Link = "b" }, "" }, { new("b") { Mode = File }, "" } }));
    }

    [Fact]
    public async Task A_file_that_grows_or_shrinks_is_an_error()
    {
        var longer = await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(new() { { new("a") { Mode = File, Size = 2 }, "xyz" } }));
        Assert.Contains("'a' changed while it was sent", longer.Message);
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(new() { { new("a") { Mode = File, Size = 4 }, "xyz" } }));
    }

    [Fact]
    public async Task Bytes_that_nobody_asked_for_are_refused()
    {
        var client = new Client { { new("a") { Mode = File, Size = 1 }, "x" } };
        client.First = new(PacketType.Data) { Id = 7, Data = [1] };
        await Assert.ThrowsAsync<FormatException>(() => ArchiveOf(client));
    }

    [Fact]
    public async Task The_senders_error_is_the_receivers()
    {
        var client = new Client { First = new(PacketType.Error) { Data = "no such directory"u8.ToArray() } };
        Assert.Contains("no such directory", (await Assert.ThrowsAsync<GrpcException>(() => ArchiveOf(client))).Message);
    }

    [Fact]
    public void The_order_of_paths_is_that_of_a_walk() =>
        Assert.Equal(["a", "a/b", "a/b/c", "a-", "a.b", "b"], new[] { "b", "a.b", "a-", "a/b/c", "a/b", "a" }.Order(Comparer<string>.Create(FileOrder.Compare)));

    private static async Task<List<(string Name, string? Content, string Link, int Mode)>> ArchiveOf(Client client)
    {
        using var bytes = new MemoryStream();
        var archive = new ArchiveWriter(bytes);
        client.Begin();
        await new FileReceiver(client, archive).RunAsync(TestContext.Current.CancellationToken);
        await archive.FinishAsync(TestContext.Current.CancellationToken);
        Assert.True(client.IsFinished);
        bytes.Position = 0;
        using var reader = new TarReader(bytes);
        var entries = new List<(string, string?, string, int)>();
        while (reader.GetNextEntry(copyData: true) is { } entry)
        {
            var content = entry.DataStream is null ? null : await new StreamReader(entry.DataStream).ReadToEndAsync(TestContext.Current.CancellationToken);
            entries.Add((entry.Name, content is "" ? null : content, entry.LinkName, (int)entry.Mode));
        }

        return entries;
    }

    /// <summary>The other side of a transfer: what a client of BuildKit does.</summary>
    private sealed class Client : List<(FileEntry Entry, string Content)>, IMessageStream
    {
        private readonly Channel<byte[]> _sent = Channel.CreateUnbounded<byte[]>();
        private readonly Stack<uint> _asked = [];

        /// <summary>Sends the files of several requests beginning with the last.</summary>
        public bool SendsBackwards { get; set; }

        public FilePacket? First { get; set; }

        public int MostAsked { get; private set; }

        public bool IsFinished { get; private set; }

        public void Add(FileEntry entry, string content) => Add((entry, content));

        public void Begin()
        {
            Send(First);
            ForEach(file => Send(new(PacketType.Stat) { Stat = file.Entry }));
            Send(new(PacketType.Stat));
        }

        public ValueTask WriteAsync(ReadOnlyMemory<byte> message)
        {
            var packet = FilePacket.Parse(message.Span);
            if (packet.Type == PacketType.Request)
            {
                _asked.Push(packet.Id);
                MostAsked = Math.Max(MostAsked, _asked.Count);
            }
            else
            {
                Assert.Equal(PacketType.Finished, packet.Type);
                Send(packet);
                _sent.Writer.Complete();
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask CompleteAsync()
        {
            IsFinished = true;
            return ValueTask.CompletedTask;
        }

        public async ValueTask<byte[]?> ReadAsync()
        {
            if (!_sent.Reader.TryPeek(out _))
            {
                foreach (var id in SendsBackwards ? _asked : _asked.Reverse())
                {
                    var data = Encoding.UTF8.GetBytes(this[(int)id].Content);
                    foreach (var part in data.Chunk(Math.Max(1, data.Length / 2)))
                    {
                        Send(new(PacketType.Data) { Id = id, Data = part });
                    }

                    Send(new(PacketType.Data) { Id = id });
                }

                _asked.Clear();
            }

            return await _sent.Reader.WaitToReadAsync() && _sent.Reader.TryRead(out var message) ? message : null;
        }

        private void Send(FilePacket? packet)
        {
            if (packet is not null)
            {
                _sent.Writer.TryWrite(packet.ToBytes().ToArray());
            }
        }
    }
}
