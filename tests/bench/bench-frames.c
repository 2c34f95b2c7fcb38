/* bench-frames.c - whether a window keeps its pace while tasks and actors work.
 *
 * A source of a GLib loop draws sixty times a second, at the priority at which GTK does. The value is the
 * time from one frame to the next that only one in a hundred exceeds.
 *
 * The actors compute without a pause, more of them than there are processors. As important as the window they
 * leave it less than it needs, and that is the system's doing: so there is a second row, in which they are nice,
 * as a program would have them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <stdlib.h>

#include "tractor-glib.h"

#define N_FRAMES       180
#define FRAME_USEC     16667
#define DRAWING_USEC   2000
#define REDRAW         (G_PRIORITY_HIGH_IDLE + 20) /* GDK_PRIORITY_REDRAW */
#define N_TASKS        1000
#define N_ACTORS       8
#define TASK_USEC      5
#define TASK_REST_USEC 20000

typedef struct {
  GMainLoop *loop;
  TractorGuest *guest; /* (nullable) */
  gint64 last_usec;
  guint n_frames;
  double usec[N_FRAMES];
} Window;

static void
work (gint64 usec)
{
  gint64 end = g_get_monotonic_time () + usec;

  while (g_get_monotonic_time () < end)
    ;
}

/* --- what goes on meanwhile ---------------------------------------------------------------------- */

static gboolean
work_on (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  while (tractor_checkpoint (error))
    work (1000);
  return FALSE;
}

const TractorExport bench_frame_exports[] = { { "work", TRACTOR_EXPORT_CALL, work_on }, { NULL } };

static gboolean
work_and_rest (G_GNUC_UNUSED gpointer data, GError **error)
{
  do
    work (TASK_USEC);
  while (tractor_sleep_until (tractor_now () + TASK_REST_USEC, error));
  return FALSE;
}

typedef struct {
  TractorActorNursery *actors;
  guint nice;
} Workers;

static gboolean
keep_actor_at_work (gpointer data, GError **error)
{
  Workers *workers = data;
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      workers->actors, "worker", &(TractorSpawnOptions){ .nice = workers->nice }, error);

  return portal != NULL && tractor_portal_call (portal, "frames:work", NULL, NULL, error);
}

static gboolean
keep_all_at_work (gpointer nice, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  Workers workers = { actors, GPOINTER_TO_UINT (nice) };
  {
    g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

    for (guint i = 0; i < N_ACTORS; i++)
      tractor_nursery_spawn (tasks, "actor", keep_actor_at_work, &workers, NULL, error);
    for (guint i = 0; i < N_TASKS; i++)
      tractor_nursery_spawn (tasks, "task", work_and_rest, NULL, NULL, error);
    tractor_nursery_join (tasks, error);
  }
  return tractor_actor_nursery_join (actors, error);
}

/* --- the window ---------------------------------------------------------------------------------- */

static gboolean
draw (gpointer data)
{
  Window *window = data;
  GSource *source = g_main_current_source ();
  gint64 now = g_get_monotonic_time ();
  gint64 due = g_source_get_ready_time (source);

  if (window->last_usec != 0)
    window->usec[window->n_frames++] = (double) (now - window->last_usec);
  window->last_usec = now;
  work (DRAWING_USEC);
  if (window->n_frames < N_FRAMES) {
    g_source_set_ready_time (source, MAX (due + FRAME_USEC, g_get_monotonic_time ()));
    return G_SOURCE_CONTINUE;
  }
  if (window->guest != NULL)
    tractor_guest_cancel (window->guest, "enough");
  else
    g_main_loop_quit (window->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
dispatch (G_GNUC_UNUSED GSource *source, GSourceFunc callback, gpointer data)
{
  return callback (data);
}

static int
compare (const void *a, const void *b)
{
  return *(const double *) a < *(const double *) b ? -1 : *(const double *) a > *(const double *) b;
}

static void
on_done (const GError *error, gpointer data)
{
  Window *window = data;

  if (!g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    g_error ("%s", error->message);
  g_main_loop_quit (window->loop);
}

static double
measure_frames (gboolean with_work, guint nice)
{
  static GSourceFuncs funcs = { .dispatch = dispatch };
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GSource) source = g_source_new (&funcs, sizeof (GSource));
  Window window = { .loop = loop };

  g_main_context_push_thread_default (context);
  g_source_set_callback (source, draw, &window, NULL);
  g_source_set_priority (source, REDRAW);
  /* The actors have a second in which to start. */
  g_source_set_ready_time (source, g_get_monotonic_time () + G_USEC_PER_SEC);
  g_source_attach (source, context);
  if (with_work)
    window.guest = tractor_glib_attach (context, keep_all_at_work, GUINT_TO_POINTER (nice), on_done,
                                        &window, NULL);
  g_main_loop_run (loop);
  g_main_context_pop_thread_default (context);
  qsort (window.usec, N_FRAMES, sizeof *window.usec, compare);
  return window.usec[N_FRAMES * 99 / 100] * 1000;
}

static double
measure_at_work (G_GNUC_UNUSED gconstpointer data)
{
  return measure_frames (TRUE, 0);
}

static double
measure_beside_nice_ones (G_GNUC_UNUSED gconstpointer data)
{
  return measure_frames (TRUE, 10);
}

static double
measure_at_rest (G_GNUC_UNUSED gconstpointer data)
{
  return measure_frames (FALSE, 0);
}

const BenchRow bench_frame_rows[] = {
  { "frame at 60 Hz, 1,000 tasks, 8 actors, p99", BENCH_MSEC, "the same loop at rest, p99", 1.5,
    FALSE, 3, measure_at_work, measure_at_rest, NULL, .is_uncountable = TRUE },
  { "frame at 60 Hz, 1,000 tasks, 8 nice actors, p99", BENCH_MSEC, "the same loop at rest, p99",
    1.5, FALSE, 3, measure_beside_nice_ones, measure_at_rest, NULL, .is_uncountable = TRUE },
  { NULL },
};
