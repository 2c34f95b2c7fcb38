#!/usr/bin/env bash
# check-docs.sh BUILD - the guide, held to its word: each program in docs/*.md compiles, ends well and
# prints what the page says it prints, and no link of the guide or of README.md leads nowhere. README.md's program is
# held to compiling, with either compiler; the examples are by their build.
#
# A program is a block that begins with ```c, or ```cpp for C++17. A ```text block that follows it, after an empty
# line or none, is its output, all of it. One that includes gtk/gtk.h is run on a display of its own.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$(realpath "${1:?which build?}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pages=(docs/*.md)
# As `meson devenv -C BUILD` has it, which README.md names: a program is built against a build that is not installed.
flags () { PKG_CONFIG_PATH=$build/meson-uninstalled pkg-config --cflags "$@"; }
n_programs=0
bad=0

complain () { # PLACE WHAT [FILE-WITH-MORE]
  echo "docs: $1: $2"
  [[ $# -lt 3 ]] || sed 's/^/    /' "$3"
  bad=1
}

# extract PAGE: writes each program to work/LINE.c or work/LINE.cc, and its output to work/LINE.text.
extract () {
  awk -v work="$work" '
    in_block && /^```/ { in_block = 0; if (file ~ /\.cc?$/) program = NR - 1; if (file != "") close (file); next }
    in_block { if (file != "") print > file; next }
    /^```/ {
      in_block = NR
      file = ""
      if ($0 == "```c" || $0 == "```cpp") {
        line = NR
        file = work "/" line ($0 == "```c" ? ".c" : ".cc")
      } else if ($0 == "```text" && line != 0 && program != 0 && n_blank <= 1)
        file = work "/" line ".text"
      if (file != "") printf "" > file
      program = n_blank = 0
      next
    }
    /^$/ { n_blank++; next }
    { program = n_blank = 0 }
    END { if (in_block) { print in_block; exit 1 } }' "$1"
}

check_program () { # PLACE SOURCE
  local program=$work/program status=0 modules='gio-2.0 libuv' display=() compiler='gcc -std=gnu11' text=${2%.*}.text
  [[ $2 != *.cc ]] || compiler='g++ -std=gnu++17'
  if grep -q '^#include <gtk/gtk.h>' "$2"; then
    modules+=' gtk4'
    display=(xvfb-run -a env GSK_RENDERER=cairo GDK_BACKEND=x11 GSETTINGS_BACKEND=memory NO_AT_BRIDGE=1)
  fi
  n_programs=$((n_programs + 1))
  if ! $compiler -Wall -Wextra -Werror $(flags tractor-1 tractor-glib-1 tractor-uv-1 $modules) -o "$program" "$2" \
      "$build"/libtractor{,-glib,-uv}-1.so -Wl,-rpath,"$build" $(pkg-config --libs $modules) 2>"$work/log"; then
    complain "$1" "does not compile:" "$work/log"
    return
  fi
  mkdir "$work/run"
  (cd "$work/run" && exec timeout -k 1 20 "${display[@]}" "$program" </dev/null >"$work/stdout" 2>"$work/stderr") || status=$?
  rm -rf "$work/run"
  [[ $status -ne 124 && $status -ne 137 ]] || complain "$1" "does not end in 20 seconds"
  [[ $status -eq 0 ]] || complain "$1" "exit status $status:" "$work/stderr"
  [[ -f $text ]] || return
  diff -u --label page --label printed "$text" "$work/stdout" >"$work/log" ||
    complain "$1" "prints something else:" "$work/log"
}

check_links () { # PAGE: outside blocks, relative ones
  local line target
  while IFS=: read -r line target; do
    target=${target%%#*}
    [[ -z $target || -e $(dirname "$1")/$target ]] || complain "$1:$line" "there is no $target"
  done < <(awk '
    /^```/ { in_block = !in_block }
    in_block || /^    / { next }
    { while (match ($0, /\]\([^)]*\)/)) {
        target = substr ($0, RSTART + 2, RLENGTH - 3)
        $0 = substr ($0, RSTART + RLENGTH)
        if (target !~ /^[a-z]+:/) print NR ":" target } }' "$1")
}

extract README.md
for compiler in gcc clang; do
  command -v $compiler >/dev/null || continue
  for source in "$work"/*.c; do
    $compiler -std=c11 -Wall -Wextra -Werror -fsyntax-only $(flags tractor-1) "$source" 2>"$work/log" ||
      complain "README.md" "does not compile with $compiler:" "$work/log"
  done
done
rm -f "$work"/*

for page in "${pages[@]}"; do
  unclosed=$(extract "$page") || complain "$page:$unclosed" "a block that is not closed"
  for source in $(ls "$work" | grep -E '\.cc?$' | sort -n); do
    check_program "$page:${source%.*}" "$work/$source"
  done
  rm -f "$work"/*
done
for page in "${pages[@]}" README.md; do
  check_links "$page"
done
echo "$n_programs programs of ${#pages[@]} pages"
exit $bad
