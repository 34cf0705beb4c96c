# Sampan: every target installs what it needs and is quick when nothing is to be done.
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1
SOURCES := $(shell find src -name '*.cs' -o -name '*.csproj') Directory.Build.props Directory.Packages.props

.PHONY: all test lint clean
all: out/sampan

# The linker wants a C compiler, zlib and SQLite as static libraries; everything else comes from NuGet.
out/sampan: $(SOURCES)
	@scripts/deps.sh gcc libc6-dev zlib1g-dev libsqlite3-dev
	dotnet publish src/Sampan.Cli -c Release -o out/publish -v q
	@cp out/publish/sampan $@

test:
	@scripts/deps.sh libsqlite3-dev libnftables1
	@scripts/test.sh

lint:
	@dotnet format whitespace Sampan.slnx --verify-no-changes --no-restore || dotnet format whitespace Sampan.slnx --verify-no-changes

clean:
	rm -rf out src/*/bin src/*/obj tests/*/bin tests/*/obj
