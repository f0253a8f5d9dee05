#!/bin/sh
# Installs the servers and the browser the tests use, where this system lets us (Debian family, root or sudo).
# Elsewhere it says what is missing: the tests that need it are skipped by name. Under CI=true missing ones fail.
set -eu

missing=
need() { # need PACKAGE TEST…: add the package unless the test succeeds
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
a_postgres() { ls /usr/lib/postgresql/*/bin/postgres || command -v postgres; }
a_mariadb() { PATH=$PATH:/usr/sbin command -v mariadbd; }
a_nats() { PATH=$PATH:/usr/sbin command -v nats-server; }
a_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
a_font() { ls /usr/share/fonts/*/"$1"* /usr/share/fonts/*/*/"$1"*; }

need mariadb-server a_mariadb
need postgresql a_postgres
need redis-server command -v redis-server
need nats-server a_nats
need chromium a_chromium
if [ "${CI:-}" = true ] || [ -n "$missing" ]; then # screenshots should show Japanese and emoji, not boxes
    need fonts-ipafont-gothic a_font ipafont-gothic
    need fonts-noto-color-emoji a_font noto
fi
[ -n "$missing" ] || exit 0

give_up() {
    echo "services:$missing: $1" >&2
    [ "${CI:-}" != true ] || exit 1
    echo "services: tests that need them will be skipped" >&2
    exit 0
}

command -v apt-get >/dev/null || give_up "not installed, and this system has no apt-get"
as_root=
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || give_up "not installed; install with: sudo apt-get install$missing"
    as_root=sudo
fi

# Packages would start their servers with the system's configuration; tests start their own, on private ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

echo "services: installing$missing"
log=$(mktemp)
install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1
}
# The package lists may be absent or old; fetching them is the slow part, so it comes second.
if ! install && ! { $as_root apt-get update >"$log" 2>&1 && install; }; then
    tail -n 20 "$log" >&2
    give_up "could not be installed"
fi
rm -f "$log"
