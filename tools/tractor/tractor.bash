# bash completion of tractor(1): commands, their options as `tractor COMMAND --help` has them, processes of trees.
# SPDX-License-Identifier: LGPL-2.1-or-later

_tractor () {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  local options='' takes_pid=yes
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'tree dump top attach core run kill reap trace --help --version' -- "$current")
    return
  fi
  case $command in
    tree) options='--json' ;;
    dump) options='--all --own --json --output' ;;
    top) options='--once --json' ;;
    attach) options='--mi --next --shell' ;;
    core) options='--program' takes_pid= ;;
    run) options='--debug --trace' takes_pid= ;;
    kill) options='--now --json' ;;
    trace) options='--output --time --merge' ;;
    reap) options='--dry-run --kill --json' takes_pid= ;;
    *) return ;;
  esac
  if [[ $command == core && $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $command == run && $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
  elif [[ ($command == dump || $command == trace) && ($previous == -o || $previous == --output) ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$current")
  elif [[ -n $takes_pid ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(tractor tree --json 2>/dev/null | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')" -- "$current")
  fi
}

complete -F _tractor tractor
