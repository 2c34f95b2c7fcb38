# layout-by-dwarf.py - to be sourced in gdb, at a process with debug information: each field of tractor_debug_1, as the
# script of tools/gdb reads it, against what the compiler says of the structs that it is about.
import gdb

STRUCTS = {
    'guest': 'struct _TractorGuest',
    'scope': 'struct _TractorCancelScope',
    'task': 'struct _Task',
    'stack': 'struct _Stack',
    'tick': 'struct _Tick',
    'ops': 'TractorHostOps',
}
# Where a field is not called as in its struct.
MEMBERS = {
    'guest_next': 'next_older',
    'guest_actor': 'debug_actor',
    'scope_deadline': 'deadline_at',
    'task_sp': 'context.sp',
    'task_wait': 'abort_data',
    'tick_sp': 'context.sp',
}
# A field that is no offset, by what it is to be.
OTHERS = {
    'guests': 'tractor_debug_1.guests',
    'switch_kind': 'tractor_debug_1.switch_kind',
    'scope_reason_bytes': 'sizeof (((struct _TractorCancelScope *) 0)->reason)',
    'task_name_bytes': 'sizeof (((struct _Task *) 0)->name)',
    'sleep_until': '(unsigned long) &((struct _Deadline *) 0)->when',
}

gdb.execute('tractor bt', to_string=True) # gdb has read the debug information of where the tasks are
layout = TractorLayout()
fields = [field.name for field in gdb.lookup_type('TractorDebugLayout').fields()]
names = [field.partition(':')[0] for field in TractorLayout.FIELDS]
start = fields.index('guests')
assert fields[:start] == ['magic', 'version', 'layout_bytes'], fields
assert fields[start:start + len(names)] == names, (fields, names)
assert int(gdb.parse_and_eval('tractor_debug_1.layout_bytes')) == gdb.lookup_type('TractorDebugLayout').sizeof
for name in names:
    kind, _, member = name.partition('_')
    expression = OTHERS.get(name) or f'(unsigned long) &(({STRUCTS[kind]} *) 0)->{MEMBERS.get(name, member)}'
    expected = int(gdb.parse_and_eval(expression))
    assert getattr(layout, name) == expected, f'{name} is {getattr(layout, name)}, but {expression} is {expected}'
assert fields[-len(layout.later):] == list(layout.later) == ['wait_lot', 'lot_holder'], (fields, layout.later)
assert int(gdb.parse_and_eval('(unsigned long) &((TractorDebugLayout *) 0)->wait_lot')) == TractorLayout.LATER_AT
for name, expression in (('wait_lot', '((struct _Parked *) 0)->lot'), ('lot_holder', '((struct _TractorParkingLot *) 0)->holder')):
    assert layout.later[name] == int(gdb.parse_and_eval(f'(unsigned long) &{expression}')), name
print(f'{len(names) + len(layout.later)} fields agree')
