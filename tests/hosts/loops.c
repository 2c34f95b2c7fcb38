/* loops.c - loops with a life of their own, to which a guest is attached. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loops.h"

#include "tractor-glib.h"
#include "tractor-uv.h"

#ifdef HAVE_SD_EVENT
#include "sd_event_host.h"
#endif

typedef struct {
  TractorSoonFunc func;
  gpointer data;
} Later;

/* --- GLib ---------------------------------------------------------------------------------------- */

static gpointer
glib_new (void)
{
  return g_main_loop_new (g_main_context_new (), FALSE);
}

static TractorGuest *
glib_attach (gpointer loop,
             TractorTaskFunc main,
             gpointer data,
             TractorDoneFunc done,
             gpointer done_data,
             GError **error)
{
  return tractor_glib_attach (g_main_loop_get_context (loop), main, data, done, done_data, error);
}

static gboolean
glib_later (gpointer data)
{
  Later *later = data;

  later->func (later->data);
  return G_SOURCE_REMOVE;
}

static void
glib_call_later (gpointer loop, guint msec, TractorSoonFunc func, gpointer data)
{
  GSource *source = g_timeout_source_new (msec);
  Later *later = g_new (Later, 1);

  *later = (Later){ func, data };
  g_source_set_callback (source, glib_later, later, g_free);
  g_source_attach (source, g_main_loop_get_context (loop));
  g_source_unref (source);
}

static void
glib_free (gpointer loop)
{
  GMainContext *context = g_main_loop_get_context (loop);

  g_main_loop_unref (loop);
  g_main_context_unref (context);
}

/* --- libuv --------------------------------------------------------------------------------------- */

static gpointer
uv_new (void)
{
  uv_loop_t *loop = g_new0 (uv_loop_t, 1);

  uv_loop_init (loop);
  return loop;
}

static TractorGuest *
uv_attach (gpointer loop,
           TractorTaskFunc main,
           gpointer data,
           TractorDoneFunc done,
           gpointer done_data,
           GError **error)
{
  return tractor_uv_attach (loop, main, data, done, done_data, error);
}

static void
uv_run_until_stopped (gpointer loop)
{
  uv_run (loop, UV_RUN_DEFAULT);
}

static void
uv_stop_loop (gpointer loop)
{
  uv_stop (loop);
}

static void
uv_later_closed (uv_handle_t *handle)
{
  g_free (handle->data);
  g_free (handle);
}

static void
uv_later (uv_timer_t *timer)
{
  Later *later = timer->data;

  later->func (later->data);
  uv_close ((uv_handle_t *) timer, uv_later_closed);
}

static void
uv_call_later (gpointer loop, guint msec, TractorSoonFunc func, gpointer data)
{
  uv_timer_t *timer = g_new0 (uv_timer_t, 1);
  Later *later = g_new (Later, 1);

  *later = (Later){ func, data };
  uv_timer_init (loop, timer);
  timer->data = later;
  uv_timer_start (timer, uv_later, msec, 0);
}

static void
uv_free (gpointer loop)
{
  while (uv_loop_close (loop) == UV_EBUSY)
    uv_run (loop, UV_RUN_ONCE);
  g_free (loop);
}

/* --- sd_event, by way of an example --------------------------------------------------------------- */

#ifdef HAVE_SD_EVENT

typedef struct {
  sd_event *event;
  gboolean is_stopped;
} SdLoop;

static gpointer
sd_new (void)
{
  SdLoop *loop = g_new0 (SdLoop, 1);

  g_assert_cmpint (sd_event_new (&loop->event), >=, 0);
  return loop;
}

static TractorGuest *
sd_attach (gpointer loop,
           TractorTaskFunc main,
           gpointer data,
           TractorDoneFunc done,
           gpointer done_data,
           GError **error)
{
  return tractor_sd_event_attach (((SdLoop *) loop)->event, main, data, done, done_data, error);
}

/* Not sd_event_exit(), which is for good. */
static void
sd_run (gpointer data)
{
  SdLoop *loop = data;

  for (loop->is_stopped = FALSE; !loop->is_stopped;)
    g_assert_cmpint (sd_event_run (loop->event, (guint64) -1), >=, 0);
}

static void
sd_stop (gpointer loop)
{
  ((SdLoop *) loop)->is_stopped = TRUE;
}

static int
sd_later (G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED guint64 usec, gpointer data)
{
  Later *later = data;

  later->func (later->data);
  return 0;
}

static void
sd_call_later (gpointer loop, guint msec, TractorSoonFunc func, gpointer data)
{
  Later *later = g_new (Later, 1);
  sd_event_source *source;

  *later = (Later){ func, data };
  g_assert_cmpint (sd_event_add_time_relative (((SdLoop *) loop)->event, &source, CLOCK_MONOTONIC,
                                               msec * 1000, 1, sd_later, later),
                   >=, 0);
  sd_event_source_set_destroy_callback (source, g_free);
  sd_event_source_set_floating (source, TRUE); /* freed with the loop */
  sd_event_source_unref (source);
}

static void
sd_free (gpointer data)
{
  SdLoop *loop = data;

  sd_event_unref (loop->event);
  g_free (loop);
}

#endif

const Loop loops[] = {
  [LOOP_GLIB] = { "glib", glib_new, glib_attach, (void (*) (gpointer)) g_main_loop_run,
                  (void (*) (gpointer)) g_main_loop_quit, glib_call_later, glib_free },
  [LOOP_UV] = { "uv", uv_new, uv_attach, uv_run_until_stopped, uv_stop_loop, uv_call_later,
                uv_free },
#ifdef HAVE_SD_EVENT
  { "sd-event", sd_new, sd_attach, sd_run, sd_stop, sd_call_later, sd_free },
#endif
  { NULL },
};
