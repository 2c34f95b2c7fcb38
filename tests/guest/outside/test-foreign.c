/* test-foreign.c - objects that bring a descriptor and want to be dispatched. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <unistd.h>

#include "harness.h"
#include "tractor-foreign.h"

/* A reader of a pipe that counts what it is asked for, and is due at some time besides. */
typedef struct {
  int fds[2];
  gint64 due_at;
  gboolean is_due;
  guint n_prepared; /* without a check yet */
  guint n_ready;
  guint n_dispatched;
} Object;

static gboolean
prepare (gpointer data, gint64 *ret_deadline)
{
  Object *object = data;

  if (object->is_due)
    return TRUE;
  object->n_prepared++;
  *ret_deadline = object->due_at;
  return FALSE;
}

static int
get_fd (gpointer data)
{
  return ((Object *) data)->fds[0];
}

static GIOCondition
get_events (G_GNUC_UNUSED gpointer data)
{
  return G_IO_IN;
}

static void
check (gpointer data, gboolean is_ready)
{
  Object *object = data;
  char byte;

  g_assert_cmpuint (object->n_prepared, ==, 1);
  object->n_prepared = 0;
  if (is_ready) {
    object->n_ready++;
    g_assert_cmpint (read (object->fds[0], &byte, 1), ==, 1);
  }
}

static gboolean
dispatch (gpointer data, G_GNUC_UNUSED GError **error)
{
  Object *object = data;

  object->is_due = FALSE;
  object->n_dispatched++;
  return TRUE;
}

static const TractorForeignOps ops = { prepare, get_fd, get_events, check, dispatch };

static gboolean
write_later (gpointer data, GError **error)
{
  Object *object = data;

  if (!tractor_sleep_until (tractor_now () + 1000, error))
    return FALSE;
  g_assert_cmpint (write (object->fds[1], "x", 1), ==, 1);
  return TRUE;
}

static gboolean
test_served (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Object object = { .due_at = TRACTOR_NO_DEADLINE };

  g_assert_cmpint (pipe (object.fds), ==, 0);
  tractor_nursery_spawn (nursery, "writer", write_later, &object, NULL, error);
  g_assert_true (tractor_dispatch_foreign (&ops, &object, error)); /* by its descriptor */
  g_assert_cmpuint (object.n_ready, ==, 1);

  object.due_at = tractor_now () + 2000;
  g_assert_true (tractor_dispatch_foreign (&ops, &object, error)); /* by its time */
  g_assert_cmpint (tractor_now (), >=, object.due_at);
  g_assert_cmpuint (object.n_ready, ==, 1);

  object.is_due = TRUE;
  g_assert_true (tractor_dispatch_foreign (&ops, &object, error)); /* at once */
  g_assert_cmpuint (object.n_dispatched, ==, 3);
  g_assert_cmpuint (object.n_prepared, ==, 0);
  g_assert_true (tractor_nursery_join (nursery, error));
  close (object.fds[0]);
  close (object.fds[1]);
  return TRUE;
}

/* An intent to read is taken back, also when the wait is cancelled or fails. */
static gboolean
test_always_checked (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  Object object = { .due_at = TRACTOR_NO_DEADLINE };
  GError *error = NULL;

  g_assert_cmpint (pipe (object.fds), ==, 0);
  {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 1000);

    g_assert_false (tractor_dispatch_foreign (&ops, &object, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
    g_assert_cmpuint (object.n_prepared, ==, 0);
    g_assert_false (tractor_dispatch_foreign (&ops, &object, &error)); /* not even prepared */
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  }
  close (object.fds[0]);
  close (object.fds[1]);
  g_assert_false (tractor_dispatch_foreign (&ops, &object, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_BADF);
  g_assert_cmpuint (object.n_prepared, ==, 0);
  g_assert_cmpuint (object.n_dispatched, ==, 0);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/foreign/B32-served", test_served);
  harness_add_task ("/guest/foreign/B32-always-checked", test_always_checked);
  return harness_run ();
}
