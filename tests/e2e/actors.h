/* actors.h - what tests with real actors share: their loops, and a child on the test's own loop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <sys/wait.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-uv.h"
#include "tractor.h"

#define SECOND G_USEC_PER_SEC

static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { NULL }
};

static inline void
assert_no_child_process (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

/* "name@uuid" of the actor that runs this. */
static inline char *
own_id (void)
{
  return g_strdup_printf ("%s@%s", tractor_actor_get_name (), tractor_actor_get_uuid ());
}

static inline char *
portal_id (TractorPortal *portal)
{
  return g_strdup_printf ("%s@%s", tractor_portal_get_name (portal),
                          tractor_portal_get_uuid (portal));
}
