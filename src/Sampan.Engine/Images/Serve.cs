using Sampan.Linux;
using Sampan.Registry.Serving;

namespace Sampan.Engine;

/// <summary><c>registry serve</c>.</summary>
public sealed partial class EngineService
{
    public Api.IRegistryHandler OpenRegistry(Api.ServeOptions options)
    {
        try
        {
            if (options.Users is not null)
            {
                PasswordHash.Require();
            }

            var access = options.Users is { } users ? new BasicAccess(users, PasswordHash.Verify) : null;
            return new RegistryHandler(new RegistryServer(
                _store, _served, RegistryOptionsOf(_options), string.IsNullOrEmpty(options.Mirror) ? null : options.Mirror, access));
        }
        catch (FormatException e)
        {
            throw EngineException.Invalid(e.Message);
        }
        catch (FileNotFoundException e)
        {
            throw new EngineException(ErrorKind.System, e.Message);
        }
    }

    private sealed class RegistryHandler(RegistryServer server) : Api.IRegistryHandler
    {
        public Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancel) => server.AnswerAsync(request, cancel);

        public void Dispose() => server.Dispose();
    }
}
