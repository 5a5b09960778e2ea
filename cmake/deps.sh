#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs with apt what is missing to build, test and demonstrate the project; with the argument
# `lint` also what `make lint` needs. Touches nothing when everything is there.
set -u

# One line per need: Debian package, then how to see that it is there (a command or a .pc file).
needs='
gcc             command cc
make            command make
cmake           command cmake
git             command git
ninja-build     command ninja
pkg-config      command pkg-config
libsodium-dev   module libsodium
libssl-dev      module libcrypto
libgsl-dev      module gsl
libfyaml-dev    module libfyaml
libsqlite3-dev  module sqlite3
libgraphviz-dev module libgvc
graphviz        command dot
check           module check
libigraph-dev   module igraph
libsimgrid-dev  module simgrid
libuv1-dev      module libuv
libmicrohttpd-dev module libmicrohttpd
libgnutls28-dev module gnutls
libjansson-dev  module jansson
python3         command python3
curl            command curl
'
lint_needs='
clang-format    command clang-format
clang-tidy      command clang-tidy
'
[ "${1:-}" = lint ] && needs="$needs$lint_needs"

missing=$(echo "$needs" | while read -r package kind name; do
    [ -n "$package" ] || continue
    if [ "$kind" = command ]; then
        command -v "$name" >/dev/null 2>&1 || echo "$package"
    else
        pkg-config --exists "$name" 2>/dev/null || echo "$package"
    fi
done)
# shellcheck disable=SC2086,SC2116 # one line of words
missing=$(echo $missing)
if [ -z "$missing" ]; then
    echo "deps: everything is there"
    exit 0
fi

give_up() {
    echo "deps: $1" >&2
    echo "deps: install these Debian packages (or their like) and try again: $missing" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || give_up "packages are missing and there is no apt here"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || give_up "packages are missing and this needs root or sudo"
    as_root=sudo
fi
echo "deps: installing with apt: $missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq || give_up "apt-get update failed"
# shellcheck disable=SC2086 # a list of words
$as_root apt-get install -y -qq --no-install-recommends $missing || give_up "apt-get install failed"
echo "deps: installed"
