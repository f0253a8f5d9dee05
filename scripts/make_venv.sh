#!/bin/sh
# Creates .venv with a Python of at least 3.11 and the pinned installer in it.
# PYTHON names the interpreter; without it the first fitting one on PATH is taken.
set -eu

venv=.venv
oldest=3.11

fail() {
    echo "kanal: $*" >&2
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_make_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo unknown; }

chosen=
seen_old=
seen_bare=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if ! new_enough "$candidate"; then
        seen_old=${seen_old:-$candidate}
    elif ! can_make_venv "$candidate"; then
        seen_bare=${seen_bare:-$candidate}
    else
        chosen=$candidate
        break
    fi
done

if [ -z "$chosen" ]; then
    if [ -n "$seen_bare" ]; then
        package=python$(version "$seen_bare")-venv
        fail "$seen_bare cannot make virtual environments; install its venv module (Debian, Ubuntu: sudo apt-get install $package)"
    elif [ -n "$seen_old" ]; then
        fail "Python $oldest or newer is needed, $seen_old is $(version "$seen_old"); name a newer one with: make PYTHON=/path/to/python3"
    elif [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not a program that can be run"
    fi
    fail "Python $oldest or newer is needed and no python3 was found"
fi

[ -w . ] || fail "this folder ($(pwd)) is not writable; run from a copy that is yours"

echo "kanal: making $venv with $chosen ($(version "$chosen"))"
rm -rf "$venv"
log=$("$chosen" -m venv "$venv" 2>&1) || fail "$chosen could not make $venv: $log"
log=$("$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock 2>&1) ||
    fail "the installer could not be fetched: $log"
