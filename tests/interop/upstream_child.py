"""upstream_child.py - what an actor of upstream's tractor serves as "cmod" for tests/debug/tree.c, as peer.py does."""
# SPDX-License-Identifier: LGPL-2.1-or-later
import tractor


async def tell(story):
    answer = 42
    if story == 'pause':
        await tractor.pause()
    if story == 'fail':
        raise ValueError('no room for 42')
    return answer
