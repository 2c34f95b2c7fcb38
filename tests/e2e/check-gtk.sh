#!/usr/bin/env bash
# check-gtk.sh GTK-TASK - what GTK does on a task's stack fits on it, with room to spare.
set -u
gtk_task=${1:?where is it?}
suite=gtk
. "$(dirname "${BASH_SOURCE[0]}")/../support/tap.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../support/display.sh"
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # what fontconfig keeps at the end is not ours

# GTK alone has to touch what the size was chosen for, or this shows nothing.
first_window_and_themes_fit () {
  timeout 60 "$gtk_task" >"$work/out" 2>&1 || return 1
  local touched
  touched=$(sed -n 's/^1023 KiB, of them touched: //p' "$work/out")
  ((touched > 256 && touched < 900))
}

check first-window-and-themes-fit first_window_and_themes_fit
echo "1..$n"
