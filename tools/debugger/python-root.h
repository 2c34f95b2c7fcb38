/* python-root.h - the turns at its terminal that a Python root gives, to the broker of an actor below it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

typedef enum {
  PYTHON_ROOT_UNUSED, /* the tree is none of Python's */
  PYTHON_ROOT_IDLE,
  PYTHON_ROOT_ASKED,
  PYTHON_ROOT_GIVES, /* it is our turn */
  PYTHON_ROOT_RETURNING,
  PYTHON_ROOT_REFUSES, /* or is gone */
} PythonRootState;

/* @address: "unix:/PATH" or "tcp://HOST:PORT". @name, @uuid: who asks. All stay there. */
void python_root_use (const char *address, const char *name, const char *uuid);
PythonRootState python_root_get_state (void);
/* To be polled for reading; -1: nothing. */
int python_root_get_fd (void);
void python_root_on_readable (void);

/* Asks for a turn, for a task called that. */
void python_root_ask (const char *task);
/* It is not wanted any more, in whatever state it is. */
void python_root_give_back (void);
/* What it has refused is known. */
void python_root_forget (void);
/* Waits until it has taken back what was given back last, for a moment. */
void python_root_finish (void);
