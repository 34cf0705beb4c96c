using Microsoft.AspNetCore.Http;
using Sampan.Api;
using Sampan.Engine;

namespace Sampan.Daemon.Http;

/// <summary>The one place where an error becomes a status and a message.</summary>
internal static class Errors
{
    public static (int Status, string Message) Describe(Exception e) => e switch
    {
        ApiException api => (api.Status, api.Message),
        BadHttpRequestException bad => (bad.StatusCode, bad.Message),
        _ => (Status(EngineException.KindOf(e)), e.Message),
    };

    /// <summary>True for what is no user's doing, and therefore belongs into the log.</summary>
    public static bool IsUnexpected(Exception e) => Describe(e).Status == 500;

    private static int Status(ErrorKind kind) => kind switch
    {
        ErrorKind.InvalidParameter => 400,
        ErrorKind.NotFound => 404,
        ErrorKind.Conflict => 409,
        ErrorKind.NotModified => 304,
        ErrorKind.Unauthorized => 401,
        ErrorKind.Forbidden => 403,
        ErrorKind.NotImplemented => 501,
        _ => 500,
    };

    public static async Task AnswerAsync(ApiCall call, Exception e)
    {
        var (status, message) = Describe(e);
        await AnswerAsync(call.Http, status, message, call.Cancel);
    }

    public static async Task AnswerAsync(HttpContext http, int status, string message, CancellationToken cancel)
    {
        http.Response.StatusCode = status;
        if (status == 304 || HttpMethods.IsHead(http.Request.Method))
        {
            return;
        }

        http.Response.ContentType = "application/json";
        var bytes = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new ErrorResponse { Message = message }, ApiJson.Wire.ErrorResponse);
        http.Response.ContentLength = bytes.Length + 1;
        await http.Response.Body.WriteAsync((byte[])[.. bytes, (byte)'\n'], cancel);
    }
}
