#!/usr/bin/env bash
# check-install.sh BUILD - what others do with the library: install it and find it by pkg-config, or
# take it as a Meson subproject. Both build an example and run it.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:?which build?}
source=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

meson install -C "$build" --no-rebuild --destdir "$work/root" >/dev/null
pc=$(find "$work/root" -name tractor-1.pc -printf '%h')
for module in tractor-1 tractor-glib-1 tractor-uv-1; do
  PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR= pkg-config --exists --print-errors $module
done
prefix=$(PKG_CONFIG_PATH=$pc pkg-config --variable=prefix tractor-1)
libdir=$work/root$(PKG_CONFIG_PATH=$pc pkg-config --variable=libdir tractor-1)
flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs tractor-1 | sed "s#$prefix/#$work/root$prefix/#g")
gcc -std=c11 examples/single_call.c -D_GNU_SOURCE -o "$work/single_call" $flags
LD_LIBRARY_PATH=$libdir "$work/single_call"

mkdir -p "$work/app/subprojects/tractor"
git ls-files | tar -c -T - | tar -x -C "$work/app/subprojects/tractor"
cp examples/single_call.c "$work/app/"
cat >"$work/app/meson.build" <<'MESON'
project('app', 'c', meson_version: '>= 1.0')
executable('app', 'single_call.c', c_args: '-D_GNU_SOURCE', dependencies: dependency('tractor-1', fallback: 'tractor'))
MESON
cd "$work/app"
meson setup build >/dev/null
ninja -C build >/dev/null
build/app
