/* timeline.h - traces of actors as one file that Perfetto shows. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "ring.h"

/* Writes them to @out, whose errors the caller looks for. @rings: (element-type Ring) */
void timeline_write (FILE *out, const GPtrArray *rings);
