namespace Sampan.Tests.Integration.Kit;

/// <summary>How much longer than usual everything may take: SAMPAN_TEST_PATIENCE, a factor, for machines that are emulated.</summary>
public static class Patience
{
    private static readonly double s_factor =
        double.TryParse(Environment.GetEnvironmentVariable("SAMPAN_TEST_PATIENCE"), out double factor) ? factor : 1;

    /// <summary>A time limit for this machine.</summary>
    public static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds * s_factor);
}
