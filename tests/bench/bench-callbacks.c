/* bench-callbacks.c - an actor called by a program that lives in callbacks: a task is made for the call, and
 * the answer comes by a callback of the loop, which makes the next call. The floor is a task that calls in a
 * loop, on the built-in host. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <tractor-glib.h>
#include <tractor-host-link.h>
#include <tractor.h>

#define N_CALLS bench_n (5000)

typedef struct {
  TractorNursery *nursery;
  TractorPortal *portal;
  TractorEvent *all;
  guint n_answers;
  double nsec;
  const char *host;
} Callbacks;

static gpointer
call (gpointer data, GError **error)
{
  tractor_portal_call (((Callbacks *) data)->portal, "bench:echo", NULL, NULL, error);
  return NULL;
}

static void
call_next (G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
  Callbacks *callbacks = data;
  g_autoptr (GError) error = NULL;

  if (result != NULL)
    tractor_glib_call_finish (result, &error);
  g_assert_no_error (error);
  if (callbacks->n_answers++ == N_CALLS)
    tractor_event_set (callbacks->all);
  else
    tractor_glib_call_async (callbacks->nursery, call, callbacks, NULL, NULL, NULL, call_next,
                             callbacks);
}

/* The same without GIO, as a callback of libuv's does it. */
static gboolean
call_as_task (gpointer data, GError **error)
{
  return tractor_portal_call (((Callbacks *) data)->portal, "bench:echo", NULL, NULL, error);
}

static void
call_next_plainly (const GError *error, gpointer data)
{
  Callbacks *callbacks = data;

  g_assert_no_error (error);
  if (callbacks->n_answers++ == N_CALLS)
    tractor_event_set (callbacks->all);
  else
    tractor_spawn_from_host (callbacks->nursery, "call", call_as_task, callbacks, NULL,
                             call_next_plainly, callbacks);
}

static void
begin_plainly (gpointer data)
{
  call_next_plainly (NULL, data);
}

static gboolean
time_callbacks (gpointer data, GError **error)
{
  Callbacks *callbacks = data;
  g_autoptr (TractorEvent) all = tractor_event_new ();
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      actors, "echo", &(TractorSpawnOptions){ .host = "builtin" }, error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 started = bench_now_nsec ();

  *callbacks =
      (Callbacks){ .nursery = nursery, .portal = portal, .all = all, .host = callbacks->host };
  if (g_str_equal (callbacks->host, "glib"))
    call_next (NULL, NULL, callbacks);
  else if (!tractor_run_in_host (begin_plainly, callbacks, error))
    return FALSE;
  if (!tractor_event_wait (all, error) || !tractor_nursery_join (nursery, error))
    return FALSE;
  callbacks->nsec = (double) (bench_now_nsec () - started) / N_CALLS;
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_callbacks (gconstpointer data)
{
  Callbacks callbacks = { .host = data };

  bench_run (data, time_callbacks, &callbacks);
  return callbacks.nsec;
}

static double
measure_task (G_GNUC_UNUSED gconstpointer data)
{
  return bench_measure_calls ("builtin");
}

const BenchRow bench_callback_rows[] = {
  { "call from a callback, and back, glib", BENCH_USEC, "from a task, builtin", 2, TRUE, 7,
    measure_callbacks, measure_task, "glib" },
  { "call from a callback, and back, uv", BENCH_USEC, "from a task, builtin", 2, TRUE, 7,
    measure_callbacks, measure_task, "uv" },
  { NULL },
};
