using Sampan.Api;

namespace Sampan.Engine.Containers;

/// <summary>What the health checks of one run of a container found; the texts are the API's.</summary>
internal sealed class HealthState
{
    public const string Starting = "starting", Healthy = "healthy", Unhealthy = "unhealthy", None = "none";

    private const int KeptResults = 5;

    private readonly Lock _lock = new();
    private readonly Queue<HealthcheckResult> _log = [];
    private string _status = Starting;
    private int _streak;

    public string Status
    {
        get
        {
            lock (_lock)
            {
                return _status;
            }
        }
    }

    /// <summary>Takes a result in and returns the new status when it changed.</summary>
    /// <param name="forgiven">A failure does not count: the container is still starting.</param>
    /// <param name="retries">This many failures in a row make it unhealthy.</param>
    public string? Add(HealthcheckResult result, bool forgiven, int retries)
    {
        lock (_lock)
        {
            _log.Enqueue(result);
            if (_log.Count > KeptResults)
            {
                _log.Dequeue();
            }

            var before = _status;
            if (result.ExitCode == 0)
            {
                (_status, _streak) = (Healthy, 0);
            }
            else if (!(forgiven && _status == Starting) && ++_streak >= retries)
            {
                _status = Unhealthy;
            }

            return _status == before ? null : _status;
        }
    }

    /// <summary>The container has ended: nobody can rely on it.</summary>
    public void End()
    {
        lock (_lock)
        {
            _status = Unhealthy;
        }
    }

    public Health Show()
    {
        lock (_lock)
        {
            return new Health { Status = _status, FailingStreak = _streak, Log = [.. _log] };
        }
    }
}
