#!/usr/bin/env bash
# check-thumbwall.sh EXAMPLES - the picture wall on a screen of its own, with a mouse and a keyboard.
set -u
wall=${1:?where is it?}/thumbwall
suite=thumbwall
. "$(dirname "${BASH_SOURCE[0]}")/../support/tap.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../support/display.sh"
# A picture kills its decoder on purpose, and what fontconfig keeps at the end is not ours.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0:detect_leaks=0 TSAN_OPTIONS=${TSAN_OPTIONS:-}:handle_segv=0

open_wall () { # ARGUMENT...
  "$wall" "$@" >"$work/out" 2>&1 &
  pid=$!
}

is_idle () { grep -qE '^[0-9]+ decoded' "$work/out"; }
is_gone () { ! kill -0 $pid 2>/dev/null; }
is_off_screen () { ! xdotool search --onlyvisible --name Thumbwall >/dev/null 2>&1; }
get_decoded () { grep -oE '^[0-9]+ decoded' "$work/out" | tail -n 1 | cut -d' ' -f1; }
has_decoded_more () { (($(get_decoded) > $1)); }
# All that it was told has been done: nothing more has come for a while.
is_settled () {
  local before
  before=$(get_decoded)
  sleep 0.5
  (($(get_decoded) == before))
}

ends_in_order () { # STATUS
  within 5 is_gone || return 1
  wait $pid
  local got=$?
  [[ $got -eq $1 ]] || { echo "status $got"; return 1; }
  ! pgrep -af "^$wall" || { echo 'processes are left'; return 1; }
  ! ls -d "$TMPDIR"/thumbwall-* 2>/dev/null
}

# Of the tiles: gaudy colours, one each.
count_colours () { # PICTURE
  convert "$1" -crop 700x600+0+0 -format '%c' histogram:info: |
    awk '{ gsub(/[:,]/, " ") } $1 >= 3000 { n++ } END { print n }'
}

shows_its_pictures () {
  open_wall
  within 30 is_idle && xdotool search --name Thumbwall || return 1
  import -window root "$work/first.png"
  (($(count_colours "$work/first.png") >= 12))
}

# Frame after frame in its colour: as many columns as have been drawn.
has_drawn_frames () {
  import -window root "$work/frames.png"
  (($(convert "$work/frames.png" -crop 240x60+760+580 -fill white +opaque '#3380e6' -trim -format '%w' info:) >= 200))
}
draws_its_frames () { within 20 has_drawn_frames; }

bad_ones_are_told () {
  grep -qE '^failed: .*/0004.wall: Actor .decoder-[0-9]+. \(pid [0-9]+\) was killed by signal 11' "$work/out" &&
    grep -qE '^failed: .*/0009.png: actor .decoder-[0-9]+.: ' "$work/out" &&
    grep -qE '^ +in decode\(\), process' "$work/out" &&
    grep -qE 'libgdk_pixbuf.*\(gdk_pixbuf_copy' "$work/out" # where it crashed
}

scrolling_brings_more () {
  local before
  before=$(get_decoded)
  xdotool mousemove 350 300
  for _ in $(seq 30); do xdotool click 5; done
  within 20 has_decoded_more $((before + 50)) || return 1
  import -window root "$work/second.png"
  ! cmp -s "$work/first.png" "$work/second.png" && (($(count_colours "$work/second.png") >= 12))
}

a_killed_decoder_is_replaced () {
  local before victim
  victim=$(pgrep -P $pid -f ' decoder-' | head -n 1)
  kill -KILL "$victim"
  before=$(get_decoded)
  within 10 eval '[[ $(pgrep -c -P $pid) -ge 2 || $(nproc) -lt 2 ]] && ! kill -0 '"$victim"' 2>/dev/null' || return 1
  for _ in $(seq 30); do xdotool click 4; done
  within 20 has_decoded_more $((before + 10))
}

# The panel shows who is there: another process, and another life, as soon as there is one.
the_panel_follows () {
  import -window root "$work/before.png"
  kill -KILL "$(pgrep -P $pid -f ' decoder-' | head -n 1)"
  within 10 panel_has_changed
}

panel_has_changed () {
  import -window root "$work/after.png"
  [[ $(compare -metric AE -extract 240x540+760+0 "$work/before.png" "$work/after.png" null: 2>&1) -gt 20 ]]
}

# Its pictures lie in memory, where there is such a place: it is not the disk whose patience is tried.
shows_five_thousand () {
  local -x TMPDIR
  TMPDIR=$(mktemp -d -p /dev/shm) || TMPDIR=$(mktemp -d -p "$work") || return 1
  closes_over_five_thousand && rmdir "$TMPDIR" && return
  rm -rf "$TMPDIR"
  return 1
}

closes_over_five_thousand () {
  local before
  open_wall 5000
  within 60 is_idle || return 1
  before=$(get_decoded)
  xdotool mousemove 350 300
  for _ in $(seq 200); do xdotool click 5; done
  within 30 has_decoded_more $((before + 200)) && within 30 is_settled || return 1
  xdotool key ctrl+w # which comes after all those clicks
  ends_in_order 0
}

closes () {
  xdotool key ctrl+w
  ends_in_order 0
}

# One that does not obey, and does not even notice: it is gone all the same, and the window at once.
closes_over_a_stopped_one () {
  open_wall
  within 30 is_idle || return 1
  kill -STOP "$(pgrep -P $pid -f ' decoder-' | head -n 1)"
  xdotool key ctrl+w
  within 1 is_off_screen && kill -0 $pid && ends_in_order 1
}

ends_with_the_program () {
  open_wall /usr/share/pixmaps
  within 30 eval 'xdotool search --name Thumbwall && pgrep -P $pid' || return 1
  kill -KILL $pid
  wait $pid
  within 5 eval '! pgrep -f "^$wall"'
}

refuses_no_folder () {
  open_wall /no/such/folder
  ends_in_order 2 && grep -q 'No such file' "$work/out"
}

check shows-its-pictures shows_its_pictures
check bad-ones-are-told-on-their-tiles bad_ones_are_told
check draws-its-frames draws_its_frames
check scrolling-brings-more scrolling_brings_more
check killed-decoder-is-replaced a_killed_decoder_is_replaced
check panel-follows-the-tree the_panel_follows
check closes-and-leaves-nothing closes
check closes-over-a-stopped-decoder closes_over_a_stopped_one
check ends-with-the-program ends_with_the_program
check five-thousand-pictures shows_five_thousand
check no-folder refuses_no_folder
[[ -n ${THUMBWALL_PICTURES:-} ]] && cp "$work"/*.png "$THUMBWALL_PICTURES"
echo "1..$n"
