using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;

namespace Sampan.Daemon.Registry;

/// <summary>
/// TLS between a connection and what serves it. Kestrel's own needs services that only a whole web host has.
/// </summary>
internal sealed class TlsConnection(X509Certificate2Collection certificates, ConnectionDelegate next, DaemonLog log)
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    private readonly SslStreamCertificateContext _certificate = SslStreamCertificateContext.Create(certificates[0], certificates, offline: true);

    public async Task ServeAsync(ConnectionContext connection)
    {
        var transport = connection.Transport;
        await using var tls = new SslStream(new DuplexStream(transport));
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
            patience.CancelAfter(HandshakeTimeout);
            await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = _certificate }, patience.Token);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or OperationCanceledException)
        {
            log.Debug($"registry: {connection.RemoteEndPoint}: no TLS: {e.Message}");
            return;
        }

        connection.Transport = new Secured(PipeReader.Create(tls), PipeWriter.Create(tls));
        try
        {
            await next(connection);
            await connection.Transport.Output.CompleteAsync();
            await connection.Transport.Input.CompleteAsync();
        }
        finally
        {
            connection.Transport = transport;
        }
    }

    private sealed record Secured(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Both directions of a connection as one stream.</summary>
    private sealed class DuplexStream(IDuplexPipe pipe) : SequentialStream
    {
        private readonly Stream _input = pipe.Input.AsStream(leaveOpen: true), _output = pipe.Output.AsStream(leaveOpen: true);

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _input.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            _output.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => _output.FlushAsync(cancellationToken);
    }
}
