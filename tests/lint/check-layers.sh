#!/usr/bin/env bash
# check-layers.sh BUILD - the arrows of ARCHITECTURE.md, held: by includes, by the symbols that each
# layer's objects want, and by what the built libraries need.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:?which build?}
bad=0

complain () {
  echo "layers: $1"
  bad=1
}

# refuse_includes FILES-GLOB PATTERN WHY
refuse_includes () {
  local found
  found=$(grep -nE "#include [<\"]($2)" $1 2>/dev/null) && complain "$3: $found"
}

refuse_includes 'guest/*.[ch] guest/*/*.[ch]' 'gio|glib-object|gobject|uv\.h|msgpack|tractor-(actor|builtin|glib|uv|virtual)' 'guest/ knows no host, no actor'
refuse_includes 'src/*.[ch]' 'gio|glib-object|gobject|uv\.h|tractor-(host|builtin|glib|uv|virtual)' 'src/ knows no host'
refuse_includes 'hosts/*/*.[ch]' 'msgpack|tractor-actor|tractor\.h' 'hosts know no actor'
refuse_includes 'hosts/builtin/*.[ch] hosts/virtual/*.[ch]' 'gio|uv\.h|tractor-(glib|uv)' 'hosts know no other host'
refuse_includes 'hosts/glib/*.[ch]' 'uv\.h|tractor-(builtin|uv|virtual)' 'hosts know no other host'
refuse_includes 'hosts/uv/*.[ch]' 'gio|tractor-(builtin|glib|virtual)' 'hosts know no other host'
# A bridge stands on public headers, but for the host's two by which everything foreign is called.
refuse_includes 'hosts/glib/objects/*.[ch]' 'msgpack|uv\.h|tractor-(builtin|uv|virtual)|glib-host\.h' 'bridges know only public headers'
found=$(grep -hoE '#include "[^"]+"' hosts/glib/objects/*.[ch] | cut -d'"' -f2 | sort -u | while read -r header; do
  [[ $header == tractor* || -f hosts/glib/objects/$header || $header =~ ^(glib-call|host-stack)\.h$ ]] || echo "$header"
done)
[[ -z $found ]] || complain "hosts/glib/objects includes what is private to others: $found"
found=$(grep -nE '#include "(tree|actor|context)\.h"|tractor-glib-objects' hosts/glib/*.[ch]) && complain "the glib host does not know its bridge: $found"
found=$(grep -lE '#include <msgpack' src/*.[ch] | grep -v '^src/codec\.c$') && complain "only codec.c includes msgpack-c: $found"

# Undefined symbols of a layer's archive that match a pattern.
wants () {
  nm -u "$build/$1" 2>/dev/null | awk '/ U /{print $2}' | grep -E "$2" | sort -u | tr '\n' ' '
}
defines () {
  nm "$build/$1" 2>/dev/null | awk 'NF==3 && $2 ~ /[TDBR]/{print $3}' | sort -u
}

for archive in guest/libtractor-guest.a src/libtractor-actors.a hosts/libtractor-builtin.a hosts/libtractor-virtual.a; do
  [[ -f $build/$archive ]] || complain "$archive is not built"
  found=$(wants $archive '^(g_main_|g_source_|g_object_|g_io_|g_task_|g_socket|uv_)')
  [[ -z $found ]] || complain "$archive wants a loop's $found"
done
for archive in guest/libtractor-guest.a hosts/libtractor-builtin.a hosts/libtractor-virtual.a; do
  found=$(wants $archive '^msgpack_')
  [[ -z $found ]] || complain "$archive wants $found"
done
for archive in guest/libtractor-guest.a src/libtractor-actors.a hosts/libtractor-builtin.a hosts/libtractor-virtual.a; do
  # What is shared within a layer is not for others.
  found=$(comm -23 <(nm -u "$build/$archive" 2>/dev/null | awk '/ U tractor__/{print $2}' | sort -u) <(defines $archive) | tr '\n' ' ')
  [[ -z $found ]] || complain "$archive wants another layer's $found"
done
found=$(comm -12 <(nm -u "$build/guest/libtractor-guest.a" 2>/dev/null | awk '/ U tractor_/{print $2}' | sort -u) <(defines src/libtractor-actors.a) | tr '\n' ' ')
[[ -z $found ]] || complain "guest/ wants what src/ defines: $found"

needs () {
  readelf -d "$build/$1" | awk '/NEEDED/{gsub(/[][]/,"",$5); print $5}' | grep -E "$2" | tr '\n' ' '
}
found=$(needs libtractor-1.so 'gobject|gio|gmodule|libuv'); [[ -z $found ]] || complain "tractor-1 needs $found"
found=$(needs libtractor-glib-1.so 'libuv'); [[ -z $found ]] || complain "tractor-glib-1 needs $found"
found=$(needs libtractor-uv-1.so 'gobject|gio'); [[ -z $found ]] || complain "tractor-uv-1 needs $found"

for library in tractor-1 tractor-glib-1 tractor-uv-1; do
  found=$(nm -D --defined-only "$build/lib$library.so" | awk '{print $3}' | grep -vE '^tractor_[a-z]' | tr '\n' ' ')
  [[ -z $found ]] || complain "$library exports $found"
done

# Calls that have no place in a library that lives in somebody else's process.
found=$(for archive in guest/libtractor-guest.a src/libtractor-actors.a; do
  wants $archive '^(signal|sleep|usleep|popen|system|strcpy|strcat|sprintf|gets|rand|time|gettimeofday|waitpid|fork|vfork)$'
done)
[[ -z ${found// /} ]] || complain "not to be called from here: $found"

exit $bad
