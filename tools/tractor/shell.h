/* shell.h - a debugger of few words, for an actor that waits to be looked at where there is no gdb. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command.h"

/* Reads words from stdin until one of them lets the process go, or it is gone. */
Status shell_run (gint pid, GError **error);
