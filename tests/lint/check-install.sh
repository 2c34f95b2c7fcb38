#!/usr/bin/env bash
# check-install.sh - what others do with the library: install it as README.md says and find it by pkg-config, or
# take it as a Meson subproject. Both build an example and run it.
#
# README.md's own line is what is run, into a folder instead of /usr/local. On Debian it is checked besides that
# pkg-config and the loader would have looked there.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail () {
  echo "install: $*"
  exit 1
}

read -ra setup < <(sed -n 's/^    meson setup build-release //p' README.md)
((${#setup[@]})) || fail "README.md does not say how"
if [[ -f build-release/build.ninja ]]; then
  meson configure build-release "${setup[@]}" # it may say something else by now
else
  meson setup build-release "${setup[@]}" >/dev/null
fi
meson install -C build-release --destdir "$work/root" >/dev/null
pc=$(find "$work/root" -name tractor-1.pc -printf '%h')
for module in tractor-1 tractor-glib-1 tractor-uv-1; do
  PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR= pkg-config --exists --print-errors $module
done
prefix=$(PKG_CONFIG_PATH=$pc pkg-config --variable=prefix tractor-1)
libdir=$(PKG_CONFIG_PATH=$pc pkg-config --variable=libdir tractor-1)

if [[ -f /etc/debian_version ]]; then
  [[ :$(pkg-config --variable=pc_path pkg-config): == *":${pc#"$work/root"}:"* ]] || fail "pkg-config does not look into $libdir"
  /sbin/ldconfig -v -N -X 2>/dev/null | grep -q "^$libdir: " || fail "the loader does not look into $libdir"
  # What ./dev installs is what README.md names.
  packages=$(sed -n 's/^packages_build=(\(.*\))$/\1/p' dev)
  grep -qF "apt-get install $packages" README.md || fail "README.md does not name the packages that ./dev installs: $packages"
fi

# gdb looks there by the library's own name.
for library in "$work/root$libdir"/libtractor-1.so.*.*.*; do
  script=$prefix/share/gdb/auto-load${library#"$work/root"}-gdb.py
  [[ -f $work/root$script ]] || fail "gdb will not find $script"
done

flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs tractor-1 | sed "s#$prefix/#$work/root$prefix/#g")
gcc -std=c11 examples/single_call.c -o "$work/single_call" $flags
LD_LIBRARY_PATH=$work/root$libdir "$work/single_call"

LD_LIBRARY_PATH=$work/root$libdir "$work/root$prefix/bin/tractor" --version
for file in man/man1/tractor.1 bash-completion/completions/tractor zsh/site-functions/_tractor; do
  [[ -s $work/root$prefix/share/$file ]] || fail "share/$file is missing"
done

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
