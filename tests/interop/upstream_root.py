#!/usr/bin/env python3
"""upstream_root.py PROGRAM STORY - a root in debug mode, of upstream's tractor or what stands in for it (stand-ins/), whose
child PROGRAM, in C, tells STORY (tests/debug/tree.c)."""
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import sys

import tractor
import trio


async def main(program, story):
    async with tractor.open_nursery(debug_mode=True) as nursery:
        portal = await nursery.start_actor('cchild', proc_kwargs={'executable': os.path.abspath(program)})
        print('answer:', await portal.run_from_ns('tree', 'work', story=story, depth=0), flush=True)
        await portal.cancel_actor()


if __name__ == '__main__':
    trio.run(main, *sys.argv[1:])
