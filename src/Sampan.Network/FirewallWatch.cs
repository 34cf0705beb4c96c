using System.Net.Sockets;
using Sampan.Linux;

namespace Sampan.Network;

/// <summary>
/// Hears when somebody removes the table <c>sampan</c> (<c>nft flush ruleset</c>, a firewall's reload) and has it restored. Costs nothing
/// while nothing happens.
/// </summary>
public sealed class FirewallWatch : IAsyncDisposable
{
    private const int NETLINK_NETFILTER = 12;
    private const uint NFNLGRP_NFTABLES = 1 << 6;
    private const ushort NFT_MSG_DELTABLE = 0x0a02, NFTA_TABLE_NAME = 1;
    private const int FamilyHeader = 4, RetryMilliseconds = 500;
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _socket;
    private readonly Task _loop;

    /// <summary>Starts to listen in the calling thread's namespace.</summary>
    /// <param name="restore">Ensures every bridge and publishes every port again; called one at a time, and again when it failed.</param>
    /// <param name="failed">Told each failure of <paramref name="restore"/>.</param>
    public FirewallWatch(Action restore, Action<Exception> failed)
    {
        _socket = NetlinkSocket.OpenListener(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
        _loop = ListenAsync(restore, failed);
    }

    /// <summary>Stops listening and waits for a restore that runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task ListenAsync(Action restore, Action<Exception> failed)
    {
        var buffer = new byte[32 * 1024];
        try
        {
            while (true)
            {
                if (!await LostTableAsync(buffer))
                {
                    continue;
                }

                while (!TryRestore(restore, failed))
                {
                    await Task.Delay(RetryMilliseconds, _stop.Token);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    private async Task<bool> LostTableAsync(byte[] buffer)
    {
        try
        {
            var length = await _socket.ReceiveAsync(buffer, SocketFlags.None, _stop.Token);
            return TellsOfLoss(buffer.AsSpan(0, length));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
        {
            return true; // messages were lost, ours may have been among them
        }
    }

    private static bool TryRestore(Action restore, Action<Exception> failed)
    {
        try
        {
            restore();
            return true;
        }
        catch (Exception e) when (e is NftablesException or NetlinkException or SyscallException or NetworkException)
        {
            failed(e);
            return false;
        }
    }

    private static bool TellsOfLoss(ReadOnlySpan<byte> datagram)
    {
        var lost = false;
        NetlinkSocket.ForEach(datagram, (type, payload) =>
        {
            if (type != NFT_MSG_DELTABLE || payload.Length < FamilyHeader)
            {
                return;
            }

            for (var attributes = new NetlinkAttributes(payload[FamilyHeader..]); attributes.Next();)
            {
                lost |= attributes.Type == NFTA_TABLE_NAME && attributes.Text == FirewallRules.Table;
            }
        });
        return lost;
    }
}
