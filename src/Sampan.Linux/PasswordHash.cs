using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Sampan.Linux;

/// <summary>Hashes of passwords by crypt(3): what /etc/shadow and files of htpasswd have. libcrypt is loaded when the first is checked.</summary>
public static unsafe partial class PasswordHash
{
    private const string Library = "libcrypt.so.1";

    /// <summary>Says now, not when the first password comes, that there is no library to check it with.</summary>
    /// <exception cref="FileNotFoundException">The machine has no libcrypt.</exception>
    public static void Require()
    {
        if (!NativeLibrary.TryLoad(Library, typeof(PasswordHash).Assembly, null, out _))
        {
            throw new FileNotFoundException($"passwords cannot be checked: {Library} cannot be loaded (on Debian it is in the package libcrypt1)");
        }
    }

    /// <summary>Whether a hash is of this password; hashes of methods that the library does not know are of none.</summary>
    public static bool Verify(string password, string hash)
    {
        void* data = null;
        var size = 0;
        try
        {
            var result = crypt_ra(password, hash, &data, &size);
            return result != null && CryptographicOperations.FixedTimeEquals(
                MemoryMarshal.CreateReadOnlySpanFromNullTerminated(result), Encoding.UTF8.GetBytes(hash));
        }
        finally
        {
            NativeMemory.Free(data);
        }
    }

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial byte* crypt_ra(string phrase, string setting, void** data, int* size);
}
