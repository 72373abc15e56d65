#!/usr/bin/env bash
# Exports pyproject.toml to pinned requirements, for every Python and platform the project supports.
# Usage: requirements/lock.sh [uv pip compile options, such as --upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() { # OUTPUT UV-OPTIONS...
    local output=$1
    shift
    "$uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --extra postgres --extra redis --output-file "$output" "$@"
}

# Each file starts from the pins of the one below, so that production runs what the tests ran.
compile requirements/base.txt "$@"
compile requirements/test.txt --group test --constraint requirements/base.txt "$@"
compile requirements/dev.txt --group dev --constraint requirements/test.txt "$@"
