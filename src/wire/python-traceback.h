/* python-traceback.h - what a Python actor writes of an exception. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <glib.h>

/* @type_name: the bare name of the exception's class. Returns: (transfer full) (nullable): the line of
 * @traceback that says what was raised, such as "ValueError: bad value here"; NULL if there is none. */
G_GNUC_INTERNAL char *tractor__python_traceback_get_line (const char *traceback,
                                                          const char *type_name);
