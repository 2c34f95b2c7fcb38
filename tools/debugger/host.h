/* host.h - this terminal is lent to the debugger's broker. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What `tractor-debugger --host PID SOCKET...` does. Returns: what it ends with. */
int host_run (int argc, char **argv);
/* And `tractor-debugger --next DIRECTORY`, which waits for trees, too, that are to come. */
int host_run_for_next (int argc, char **argv);
