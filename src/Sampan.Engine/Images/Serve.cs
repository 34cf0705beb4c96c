using Sampan.Registry.Serving;

namespace Sampan.Engine;

/// <summary><c>registry serve</c>.</summary>
public sealed partial class EngineService
{
    public Api.IRegistryHandler OpenRegistry(string? mirror)
    {
        try
        {
            return new RegistryHandler(new RegistryServer(_store, _served, RegistryOptionsOf(_options), string.IsNullOrEmpty(mirror) ? null : mirror));
        }
        catch (FormatException e)
        {
            throw EngineException.Invalid(e.Message);
        }
    }

    private sealed class RegistryHandler(RegistryServer server) : Api.IRegistryHandler
    {
        public Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancel) => server.AnswerAsync(request, cancel);

        public void Dispose() => server.Dispose();
    }
}
