# bash completion of tractor(1): commands, their options as `tractor COMMAND --help` has them, processes of trees.
# SPDX-License-Identifier: LGPL-2.1-or-later

_tractor_complete () {
  mapfile -t COMPREPLY < <(compgen "$@" -- "$current")
}

_tractor () {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
  local commands='tree dump top attach core run kill reap trace' options='' takes_pid=yes word is_program= is_merge=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _tractor_complete -W "$commands help --help --version"
    return
  fi
  case $command in
    help) ((COMP_CWORD == 2)) && _tractor_complete -W "$commands"; return ;;
    tree) options='--json' ;;
    dump) options='--all --each --json -o --output' ;;
    top) options='--once --json' ;;
    attach) options='--mi --next --shell' ;;
    core) options='--program' takes_pid= ;;
    run) options='--debug --trace' takes_pid= is_program=yes ;;
    kill) options='--now --json' ;;
    trace) options='-o --output -t --time --merge' ;;
    reap) options='-n --dry-run --kill --json' takes_pid= ;;
    *) return ;;
  esac
  for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
    [[ $word == -- ]] && is_program=yes
    [[ $word == --merge ]] && is_merge=yes
  done
  # bash takes "--debug=pause" for three words
  if [[ $current == '=' ]]; then
    current='' previous+='='
  elif [[ $previous == '=' ]]; then
    previous="${COMP_WORDS[COMP_CWORD - 2]}="
  fi
  case $command$previous in
    run--debug=) _tractor_complete -W '1 all pause crash error origins' ;;
    dump-o | dump--output* | trace-o | trace--output* | run--trace* | core--program*) _tractor_complete -f ;;
    trace-t | trace--time*) ;;
    *)
      if [[ $current == -* ]]; then
        _tractor_complete -W "$options --help"
      elif [[ $command == core || -n $is_merge ]]; then
        _tractor_complete -f
      elif [[ -n $is_program ]]; then
        _tractor_complete -c -f
      elif [[ -n $takes_pid ]]; then
        _tractor_complete -W "$(tractor tree --json 2>/dev/null | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')"
      fi
      ;;
  esac
}

complete -F _tractor tractor
