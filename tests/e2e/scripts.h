/* scripts.h - programs that are no actors: lines for sh. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <fcntl.h>

#include "actors.h"

#define KIB 1024

static inline gboolean
run_script (const char *script, const TractorProcessOptions *options, GError **error)
{
  return tractor_run_process ((const char *[]){ "sh", "-c", script, NULL }, options, error);
}

/* Of its output, into an array. */
static inline void
add_line (const char *line, gsize length, gpointer data)
{
  g_assert_cmpuint (strlen (line), ==, length);
  g_ptr_array_add (data, g_strdup (line));
}

static inline void
make_pipe (int ends[2])
{
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
}

static inline TractorPortal *
start_actor (TractorActorNursery *nursery, TractorSpawnOptions options, GError **error)
{
  options.host = harness_get_host ()->name;
  return tractor_actor_nursery_start (nursery, "worker", &options, error);
}
