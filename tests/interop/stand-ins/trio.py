"""Stands in for trio where it cannot be installed: what the examples use of it, on asyncio."""
import asyncio


def run(func, *args):
    return asyncio.run(func(*args))


class fail_after:
    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.timer = asyncio.get_running_loop().call_later(self.seconds, asyncio.current_task().cancel)

    def __exit__(self, *_):
        self.timer.cancel()
