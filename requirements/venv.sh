#!/usr/bin/env bash
# Makes the virtualenv DIR when there is none and installs one pinned set of requirements (base, test or dev) into it.
# Usage: requirements/venv.sh DIR SET; PYTHON names the interpreter, else the first suitable one on PATH is taken.
set -euo pipefail
venv=$1
set=$2

suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

if ! { [ -x "$venv/bin/python" ] && suitable "$venv/bin/python"; }; then
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if suitable "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "Python 3.11, 3.12 or 3.13 is needed and not on PATH; PYTHON=/path/to/python make ... names one." >&2
        exit 1
    fi
    echo "making $venv with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        echo "$python cannot make a virtualenv (Debian: apt-get install python3-venv)." >&2
        exit 1
    fi
fi

echo "installing requirements/$set.txt into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "requirements/$set.txt"
# A larger set contains the smaller ones.
case $set in
    dev) touch "$venv/base" "$venv/test" "$venv/dev" ;;
    test) touch "$venv/base" "$venv/test" ;;
    *) touch "$venv/base" ;;
esac
