#!/usr/bin/env bash
# check-python-gtk.sh EXAMPLES - the GTK window in Python, on a screen of its own, with a keyboard.
set -u
examples=${1:?where are they?}
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=python-gtk
. "$(dirname "${BASH_SOURCE[0]}")/../support/tap.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../support/display.sh"
/usr/bin/python3 -c "import gi; gi.require_version ('Gtk', '4.0'); from gi.repository import Gtk" 2>/dev/null ||
  { echo '1..0 # SKIP there is no PyGObject with GTK 4'; exit 0; }

has_answered () { grep -qxE "$1" "$work/out"; }
has_workers () { [[ $(pgrep -c -P $pid -f ' worker-[12]$') -eq 2 ]]; }
is_gone () { ! kill -0 $pid 2>/dev/null; }
is_shown () { xdotool search --onlyvisible --name Reverse >/dev/null; }

# The entry takes words only when there is somebody to turn them round.
opens () {
  /usr/bin/python3 "$source/examples/python_gtk/reverse.py" "$examples/cluster" >"$work/out" 2>&1 &
  pid=$!
  within 20 is_shown && within 20 has_workers
}

says () { # WORD ANSWER
  local end=$((SECONDS + 20))
  until has_answered "$2"; do # typed again, if the window did not have the keyboard yet
    ((SECONDS < end)) || return 1
    xdotool key ctrl+a type "$1"
    xdotool key Return
    sleep 0.2
  done
}

a_killed_worker_comes_back () {
  local victim
  victim=$(pgrep -P $pid -f ' worker-1$')
  kill -KILL "$victim"
  within 10 eval '! kill -0 '"$victim"' 2>/dev/null && has_workers'
}

closes () {
  xdotool key ctrl+w
  within 10 is_gone || return 1
  wait $pid && has_answered 'all have ended' && ! pgrep -af "^$examples/cluster"
}

check opens opens
check calls-an-actor says stressed 'desserts, by worker-[12]'
check shows-what-fails says b4d "actor 'worker-[12]': 'b4d' is not a word"
check killed-worker-comes-back a_killed_worker_comes_back
check calls-go-on says drawer 'reward, by worker-[12]'
check closes-and-leaves-nothing closes
echo "1..$n"
