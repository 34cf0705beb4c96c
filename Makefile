# Sampan: every target installs what it needs and is quick when nothing is to be done.
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1
SOURCES := $(shell find src -name '*.cs' -o -name '*.csproj' -o -name '*.json') Directory.Build.props Directory.Packages.props

.PHONY: all demo test test-unit test-integration test-vm bench lint format clean
.DELETE_ON_ERROR:

all: out/sampan

# The linker wants a C compiler, zlib and SQLite as static libraries; everything else comes from NuGet.
out/sampan: $(SOURCES)
	@scripts/deps.sh gcc libc6-dev zlib1g-dev libsqlite3-dev
	dotnet publish src/Sampan.Cli -c Release -o out/publish -v q
	@cp --remove-destination out/publish/sampan $@.new && mv $@.new $@ && rm -rf out/publish

# The main job from a base image to a running container, with the time of each step.
demo: out/sampan
	@demo/run.sh

# Every suite; the last line sums them up.
test: out/sampan
	@scripts/test.sh unit integration vm

test-unit:
	@scripts/test.sh unit

# SAMPAN_TEST_REFERENCE=dockerd runs the same suite on Debian's dockerd; ARGS go to the runner (ARGS='-class *Exec*').
test-integration: out/sampan
	@scripts/test.sh integration

test-vm: out/sampan
	@scripts/test.sh vm

bench: out/sampan
	@bench/run.sh $(ARGS)

# Style rules are warnings, and warnings are errors, so the build of `make test` checks them; here is the layout of every file.
lint:
	@dotnet format whitespace . --folder --verify-no-changes --exclude out
	@for script in scripts/*.sh tests/vm/*.sh demo/*.sh bench/*.sh .ci/run; do bash -n $$script || exit 1; done

format:
	@dotnet format whitespace . --folder --exclude out

clean:
	rm -rf out src/*/bin src/*/obj tests/*/bin tests/*/obj
