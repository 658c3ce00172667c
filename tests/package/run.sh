#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the library into an empty folder, builds a user's program on it by pkg-config and by find_package,
# strictly, and runs both. Usage: run.sh BUILD SOURCE
set -eu
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >"$work/log" || { cat "$work/log" >&2; exit 1; }

pc=$(dirname "$(find "$work/usr" -name poolbench.pc)")
flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs poolbench)
# shellcheck disable=SC2086 # words are meant; the tag of a pool is a character constant of four
cc -std=c11 -Wall -Wextra -Wpedantic -Werror -Wno-multichar "$source/tests/package/user.c" $flags -o "$work/user"
"$work/user"

# each public header can be had alone
for header in "$work"/usr/include/poolbench/nt/*.h; do
    echo "#include <poolbench/nt/$(basename "$header")>" >"$work/alone.c"
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$work/usr/include" "$work/alone.c"
done

cmake -S "$source/tests/package" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/usr" >"$work/log" || { cat "$work/log" >&2; exit 1; }
cmake --build "$work/cmake" >"$work/log" || { cat "$work/log" >&2; exit 1; }
"$work/cmake/user"
