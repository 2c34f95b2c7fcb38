#!/usr/bin/env python3
# check-gir.py BUILD - whatever a program in another language sees is documented: each type with its members, properties,
# signals, functions, methods and callbacks, and each of their parameters and results.
#
# Left out is what such a program does not see as a name of its own: the object of a method, a result that is nothing,
# the structures of classes, and what is not for it at all (skip).
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

CORE = '{http://www.gtk.org/introspection/core/1.0}'
GLIB = '{http://www.gtk.org/introspection/glib/1.0}'
NAMED = {CORE + tag for tag in ('alias', 'bitfield', 'callback', 'class', 'constant', 'constructor', 'enumeration',
                                'field', 'function', 'interface', 'member', 'method', 'parameter', 'property', 'record',
                                'union', 'virtual-method')} | {GLIB + 'boxed', GLIB + 'signal'}


def is_left_out(element):
    return (element.get('introspectable') == '0' or element.get('private') == '1'
            or element.get(GLIB + 'is-gtype-struct-for') is not None)


def get_name(element):
    if element.tag in NAMED:
        return element.get('name') or element.get(GLIB + 'name')
    if element.tag == CORE + 'return-value':
        kind = element.find(CORE + 'type')
        return 'its result' if kind is None or kind.get('name') != 'none' else None
    return None


def is_documented(element):
    doc = element.find(CORE + 'doc')
    return doc is not None and (doc.text or '').strip() != ''


# For each name below @element: where it is, and whether it is documented.
def walk(element, path):
    for child in element:
        if is_left_out(child):
            continue
        name = get_name(child)
        below = path if name is None else path + [name]
        if name is not None:
            yield f'{": ".join(below)} ({child.tag.split("}")[1]})', is_documented(child)
        yield from walk(child, below)


def main():
    girs = sorted(Path(sys.argv[1], 'hosts/glib/introspection').glob('*.gir'))
    if not girs:
        sys.exit(f'gir: {sys.argv[1]} was built without introspection')
    names = [name for gir in girs for name in walk(tree.parse(gir).getroot().find(CORE + 'namespace'), [])]
    missing = [where for where, documented in names if not documented]
    for where in missing:
        print(f'gir: not documented: {where}')
    print(f'{len(names)} names, {len(missing)} not documented')
    sys.exit(1 if missing or not names else 0)


main()
