#!/usr/bin/env python3
"""deny.py [-ERRNO|kill] NUMBER... -- COMMAND... - a command to which these system calls are denied, as the seccomp profile of a
container does: with EPERM, if no other errno is given; or which they kill."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import ctypes
import errno
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
LOAD, IS_EQUAL, RETURN = 0x20, 0x15, 0x06  # of linux/bpf_common.h, with what they are of
ALLOW, FAIL, KILL = 0x7fff0000, 0x00050000, 0x80000000


class Program(ctypes.Structure):
    _fields_ = ('length', ctypes.c_ushort), ('instructions', ctypes.c_void_p)


def instruction(code, value, if_not=0):
    return struct.pack('=HBBI', code, 0, if_not, value)


def compile_filter(numbers, answer):
    code = instruction(LOAD, 0)  # the number of the system call
    for number in numbers:
        code += instruction(IS_EQUAL, number, if_not=1) + instruction(RETURN, answer)
    return code + instruction(RETURN, ALLOW)


def main():
    at = sys.argv.index('--')
    words = sys.argv[1:at]
    answer = FAIL | errno.EPERM
    if words[0] == 'kill' or words[0].startswith('-'):
        word = words.pop(0)
        answer = KILL if word == 'kill' else FAIL | -int(word)
    code = ctypes.create_string_buffer(compile_filter(map(int, words), answer))
    program = Program(len(code) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0):
        sys.exit(f'deny.py: {os.strerror(ctypes.get_errno())}')
    os.execvp(sys.argv[at + 1], sys.argv[at + 1:])


if __name__ == '__main__':
    main()
