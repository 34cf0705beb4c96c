using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Sampan.Registry;

/// <summary>The certificates of one host from <c>certs.d</c>: authorities that it may be signed by, and the client's own.</summary>
internal sealed class Certificates
{
    private readonly X509Certificate2Collection _authorities = [];

    private Certificates()
    {
    }

    /// <summary>Those that we show to the registry.</summary>
    public X509Certificate2Collection Own { get; } = [];

    /// <param name="folders">Of <see cref="RegistryOptions.CertificateFolders"/>.</param>
    /// <param name="host"><c>name[:port]</c>, which is a folder's name.</param>
    /// <exception cref="RegistryException">A file cannot be read or is no certificate, or its other half is missing.</exception>
    public static Certificates Load(IReadOnlyList<string> folders, string host)
    {
        var certificates = new Certificates();
        foreach (var folder in folders.Select(f => Path.Combine(f, host)).Where(Directory.Exists))
        {
            foreach (var path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
            {
                try
                {
                    certificates.Add(path);
                }
                catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
                {
                    throw new RegistryException(RegistryErrorKind.InvalidRequest, $"certificate \"{path}\": {e.Message}", e);
                }
            }
        }

        return certificates;
    }

    /// <summary>Accepts what the system trusts, and what the host's own authorities signed for its name.</summary>
    public bool Accept(X509Certificate2? certificate, X509Chain? sent, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None)
        {
            return true;
        }

        if (errors != SslPolicyErrors.RemoteCertificateChainErrors || certificate is null || _authorities.Count == 0)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        foreach (var element in sent?.ChainElements.Skip(1) ?? [])
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        return chain.Build(certificate);
    }

    private void Add(string path)
    {
        switch (Path.GetExtension(path))
        {
            case ".crt":
                _authorities.ImportFromPemFile(path);
                break;
            case ".cert":
                var key = Path.ChangeExtension(path, ".key");
                Own.Add(File.Exists(key) ? X509Certificate2.CreateFromPemFile(path, key)
                    : throw new IOException($"its key \"{key}\" is missing"));
                break;
            case ".key" when !File.Exists(Path.ChangeExtension(path, ".cert")):
                throw new IOException($"its certificate \"{Path.ChangeExtension(path, ".cert")}\" is missing");
        }
    }
}
