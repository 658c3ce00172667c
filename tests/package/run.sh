#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the library into an empty folder, builds a user's program on it by pkg-config and by find_package,
# strictly, and runs both. Usage: run.sh BUILD SOURCE [COMPILER [FLAG...]], the flags being those that the
# library asks of a program, such as -fsanitize=address.
set -eu
build=$1 source=$2
shift 2
[ $# -gt 0 ] || set -- cc
compiler=$1
shift
strict="-std=c11 -Wall -Wextra -Wpedantic -Werror"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs a command and shows what it printed only if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}

quietly cmake --install "$build" --prefix "$work/usr"

# nothing but the library, its headers and what finds them; nothing that names the build or the source
find "$work/usr" -type f -o -type l | sed "s|^$work/usr/||" | grep -vE \
    '^include/poolbench/(ntmm|nt/[a-z_]+)[.]h$|/libpoolbench[.]a$|/pkgconfig/poolbench[.]pc$|/cmake/poolbench/poolbench[A-Za-z-]*[.]cmake$' \
    >"$work/more" || true
[ ! -s "$work/more" ] || { echo "installed too:" >&2; cat "$work/more" >&2; exit 1; }
if grep -rlIF -e "$source" -e "$build" "$work/usr" >&2; then
    echo "the files above name the source or the build" >&2
    exit 1
fi

PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name poolbench.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs poolbench)
# shellcheck disable=SC2086 # words are meant
"$compiler" $strict "$@" "$source/tests/package/user.c" $flags -o "$work/user"
"$work/user"

# each public header can be had alone
for header in "$work"/usr/include/poolbench/*.h "$work"/usr/include/poolbench/nt/*.h; do
    echo "#include <${header#"$work/usr/include/"}>" >"$work/alone.c"
    # shellcheck disable=SC2086
    "$compiler" $strict -fsyntax-only -I"$work/usr/include" "$work/alone.c"
done

# C++ is told so, where there is a compiler of it
echo '#include <poolbench/ntmm.h>' >"$work/user.cc"
echo 'int main() { return 0; }' >"$work/none.cc"
if "$compiler" -fsyntax-only "$work/none.cc" 2>"$work/log"; then
    ! "$compiler" -fsyntax-only -I"$work/usr/include" "$work/user.cc" 2>"$work/log" ||
        { echo "C++ takes the headers" >&2; exit 1; }
    grep -m 1 error "$work/log" | grep -q 'poolbench/ntmm.h is C11' || { cat "$work/log" >&2; exit 1; }
fi

quietly cmake -S "$source/tests/package" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/usr" \
    -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="$*"
quietly cmake --build "$work/cmake"
"$work/cmake/user"
