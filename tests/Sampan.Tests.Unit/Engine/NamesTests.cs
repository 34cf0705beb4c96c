using Sampan.Engine.Containers;
using Xunit;

namespace Sampan.Tests.Unit.Engine;

public sealed class NamesTests
{
    [Fact]
    public void No_container_has_a_host_name_that_reads_as_a_number()
    {
        Assert.True(Names.IsNumber("416504959715" + new string('a', 52)));
        Assert.False(Names.IsNumber("41650495971a" + new string('0', 52)));
        Assert.All(Enumerable.Range(0, 5000), _ => Assert.False(Names.IsNumber(Names.NewId())));
    }
}
