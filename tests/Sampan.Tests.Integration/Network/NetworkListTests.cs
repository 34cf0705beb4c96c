using Sampan.Tests.Integration.Kit;
using Xunit;

namespace Sampan.Tests.Integration.Network;

/// <summary>Lists of networks, and which of them prune takes.</summary>
public abstract class NetworkListTests(SharedDaemon shared, CommandLine commandLine) : EngineTests(shared, commandLine)
{
    [Fact]
    public async Task Filters_choose_networks()
    {
        string name = NewName();
        string id = (await Run($"network create --label shade=dark --label {name} {name}")).Succeeds().Output;
        (await Run($"network create --label shade=light {name}2")).Succeeds();
        await using (Container user = await Idle($"--network {name}2"))
        {
            await Lists($"name={name}", name, name + "2");
            await Lists($"name=^{name}$", name);
            await Lists($"name={name}[2-9]", name + "2");
            await Lists($"id={id}", name);
            await Lists($"id={id[..14]}", name);
            await Lists($"label={name}", name);
            await Lists($"name={name} --filter label=shade=light", name + "2");
            await Lists($"name={name} --filter name=^none$", name, name + "2", "none");
            await Lists($"name={name} --filter driver=bridge", name, name + "2");
            await Lists($"name={name} --filter driver=host");
            await Lists($"name={name} --filter scope=local", name, name + "2");
            await Lists($"name={name} --filter scope=swarm");
            await Lists($"name={name} --filter type=custom", name, name + "2");
            await Lists("type=builtin", "bridge", "host", "none");
            await Lists($"name={name} --filter dangling=true", name);
            await Lists($"name={name} --filter dangling=false", name + "2");
        }

        (await Run("network ls --filter type=odd")).Fails().Complains("invalid filter: 'type'='odd'");
        (await Run("network ls --filter color=red")).Fails().Complains("invalid filter 'color");
        (await Run("network ls --filter dangling=perhaps")).Fails();
        (await Run($"network rm {name} {name}2")).Succeeds();

        async Task Lists(string filter, params string[] names) => Assert.Equal(names,
            (await Run($"network ls --format {{{{.Name}}}} --filter {filter}")).Succeeds().Lines.Where(l => l.Length > 0));
    }

    [Fact]
    public async Task Lists_have_columns_and_formats_and_the_order_of_numbers()
    {
        string name = NewName();
        string id = (await Run($"network create --internal --label a=b {name}10")).Succeeds().Output;
        (await Run($"network create {name}9")).Succeeds();
        string list = $"network ls --filter name={name}";
        Assert.Matches($@"^NETWORK ID +NAME +DRIVER +SCOPE\n[0-9a-f]{{12}} +{name}9 +bridge +local\n{id[..12]} +{name}10 +bridge +local$", (await Run(list)).Succeeds().Output);
        string only = $"network ls --filter name={name}10";
        (await Run(only + " -q")).Succeeds().Prints(id[..12]);
        (await Run(only + " -q --no-trunc")).Succeeds().Prints(id);
        (await Run(only + " --format '{{.ID}} {{.Internal}} {{.IPv6}} {{.Labels}} {{.Label \"a\"}}'")).Succeeds().Prints($"{id[..12]} true false a=b b");
        (await Run(only + " --format 'table {{.Name}}\\t{{.Internal}}'")).Succeeds().Shows("INTERNAL").Shows(name + "10");
        (await Run(only + " --format json")).Succeeds().Shows($"\"Name\":\"{name}10\"");
        (await Run(only + " --format raw")).Succeeds().Prints($"network_id: {id[..12]}\nname: {name}10\ndriver: bridge\nscope: local");
        (await Run(only + " --format raw -q")).Succeeds().Prints($"network_id: {id[..12]}");
        (await Run($"network rm {name}9 {name}10")).Succeeds();
    }

    [Fact]
    public async Task Prune_takes_what_no_container_uses_and_its_filters_choose()
    {
        string name = NewName();
        foreach (string options in (string[])[$"--label {name} {name}-a", $"--label {name} --label keep {name}-b", $"--label {name} {name}-used"])
            (await Run($"network create {options}")).Succeeds();
        await using (Container user = await Idle($"--network {name}-used"))
        {
            (await Run($"network prune -f --filter label={name} --filter until=1h")).Succeeds();
            (await Run($"network ls --filter label={name} --format {{{{.Name}}}}")).Succeeds().Prints($"{name}-a\n{name}-b\n{name}-used");
            (await Run($"network prune -f --filter label={name} --filter label!=keep")).Succeeds().Shows($"Deleted Networks:\n{name}-a");
            (await Run($"network prune -f --filter label={name} --filter until=0s")).Succeeds().Shows($"{name}-b");
            (await Run($"network ls --filter label={name} --format {{{{.Name}}}}")).Succeeds().Prints($"{name}-used");
        }

        (await Run($"network prune --filter label={name}", stdin: "n\n")).Shows("This will remove all custom networks not used by at least one container.");
        (await Run($"network prune --filter label={name}", stdin: "y\n")).Succeeds().Shows($"{name}-used");
        (await Run("network prune -f --filter name=x")).Fails().Complains("invalid filter 'name");
    }
}

/// <summary>The group through Docker's command line.</summary>
public sealed class NetworkListsWithDockerTests(SharedDaemon shared) : NetworkListTests(shared, CommandLine.Docker);

/// <summary>The group through Sampan's command line.</summary>
public sealed class NetworkListsWithSampanTests(SharedDaemon shared) : NetworkListTests(shared, CommandLine.Sampan);
