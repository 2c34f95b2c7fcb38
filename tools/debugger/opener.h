/* opener.h - a command, given by the user, that opens a terminal for whoever stops. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "asker.h"

/* @command: (nullable): there is none. @socket: of ours. Both stay there. */
void opener_use (const char *command, const char *socket);
/* Has one opened for @asker, if that has not been done. Returns: whether it may still come. */
bool opener_is_waited_for (Asker *asker);
/* Sees to commands that have ended, and to all other processes that have, but for @but. */
void opener_reap (pid_t but);
