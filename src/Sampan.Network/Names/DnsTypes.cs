namespace Sampan.Network.Names;

/// <summary>Numbers of RFC 1035, RFC 3596 and RFC 6891, under their names there.</summary>
internal static class Dns
{
    public const ushort A = 1, SOA = 6, PTR = 12, AAAA = 28, OPT = 41, ANY = 255;

    public const ushort IN = 1;

    /// <summary>Bits of the header's second word: answer, operation, truncated, recursion desired and available, checking disabled.</summary>
    public const ushort QR = 0x8000, Opcode = 0x7800, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080, AD = 0x0020, CD = 0x0010;

    public const int NoError = 0, FormErr = 1, ServFail = 2, NXDomain = 3, NotImp = 4, Refused = 5, BadVers = 16;

    public const int HeaderSize = 12, NameLimit = 255, LabelLimit = 63;

    /// <summary>What a client takes by UDP that says nothing (RFC 1035, 4.2.1), and what we say that we take (RFC 9715).</summary>
    public const int PlainPayload = 512, OwnPayload = 1232;

    /// <summary>A question longer than this is none.</summary>
    public const int QueryLimit = 4096;
}
