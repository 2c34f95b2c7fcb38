# display.sh - a screen without a monitor, for GTK programs; to be sourced after tap.sh. Ends the script, as skipped, if
# there is none. -noreset: it does not begin anew between two programs.
# shellcheck shell=bash disable=SC2154
for program in Xvfb xdotool import; do
  command -v $program >/dev/null || { echo "1..0 # SKIP there is no $program"; exit 0; }
done
exec {ready}<> <(:)
Xvfb -noreset -displayfd $ready -screen 0 1200x800x24 2>"$work/xvfb" &
read -r -t 20 number <&$ready || { cat "$work/xvfb" >&2; echo 'Bail out! no screen'; exit 1; }
export DISPLAY=:$number GDK_BACKEND=x11 GSK_RENDERER=cairo GTK_A11Y=none TMPDIR=$work
