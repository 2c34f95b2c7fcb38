/* test-trace.c - what tasks do, noted in a ring. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-debug.h"
#include "tractor-sync.h"
#include "tractor-trace.h"

typedef struct {
  int fd;
  gsize bytes;
  TractorTraceHeader *header;
  const TractorTraceRecord *records;
} Ring;

static void
ring_init (Ring *ring, gsize n_records)
{
  ring->fd = memfd_create ("test-trace", MFD_CLOEXEC);
  ring->bytes = TRACTOR_TRACE_HEADER_BYTES + n_records * sizeof (TractorTraceRecord);
  g_assert_cmpint (ftruncate (ring->fd, (off_t) ring->bytes), ==, 0);
  ring->header = mmap (NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
  g_assert_true (ring->header != MAP_FAILED);
  ring->records = (gconstpointer) ((char *) ring->header + TRACTOR_TRACE_HEADER_BYTES);
}

static void
ring_clear (Ring *ring)
{
  munmap (ring->header, ring->bytes);
  close (ring->fd);
}

/* A word for each record since @from, without the clock's: "spawned:5", "step:5". The text of one is in quotes. */
static char *
read_ring (const Ring *ring, guint64 from)
{
  static const char *const words[] = { [TRACTOR_TRACE_STEP] = "step",
                                       [TRACTOR_TRACE_TASK] = "task",
                                       [TRACTOR_TRACE_TASK_SPAWNED] = "spawned",
                                       [TRACTOR_TRACE_TASK_EXITED] = "exited",
                                       [TRACTOR_TRACE_CANCELLED] = "cancelled" };
  GString *seen = g_string_new (NULL);
  guint64 last = 0;

  for (guint64 i = from; i < ring->header->n_written; i++) {
    const TractorTraceRecord *record = &ring->records[i & (ring->header->n_records - 1)];

    if (record->point == TRACTOR_TRACE_TEXT) {
      g_string_append_printf (seen, "'%.20s'", (const char *) &record->arg);
      continue;
    }
    g_assert_cmpuint (record->ticks, >=, last);
    last = record->ticks;
    if (record->point == TRACTOR_TRACE_CLOCK)
      continue;
    if (seen->len > 0)
      g_string_append_c (seen, ' ');
    if (record->point < G_N_ELEMENTS (words))
      g_string_append (seen, words[record->point]);
    else
      g_string_append_printf (seen, "%u", record->point);
    g_string_append_printf (seen, ":%" G_GUINT64_FORMAT, record->id);
    if (record->arg != 0)
      g_string_append_printf (seen, "/%u", record->arg);
  }
  return g_string_free (seen, FALSE);
}

/* With the steps in which there is nobody, those at the very beginning of it. */
static void
assert_seen (const Ring *ring, guint64 from, const char *expected)
{
  g_autofree char *seen = read_ring (ring, from);
  g_auto (GStrv) words = g_strsplit (seen, " ", -1);
  g_autoptr (GString) steps = g_string_new (NULL);

  for (char **word = words; *word != NULL; word++)
    if (strcmp (*word, "step:0") != 0)
      g_string_append_printf (steps, "%s%s", steps->len > 0 ? " " : "", *word);
  g_assert_cmpstr (steps->str, ==, expected);
}

static guint64
start_trace (Ring *ring, GError **error)
{
  g_assert_true (tractor_run_start_trace (ring->fd, "here", error));
  g_assert_no_error (*error);
  return ring->header->n_written;
}

static gboolean
one_step (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
two_steps (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_checkpoint (error);
}

#define SOME_STEPS 10

static gboolean
many_steps (G_GNUC_UNUSED gpointer data, GError **error)
{
  for (guint i = 1; i < SOME_STEPS; i++)
    if (!tractor_checkpoint (error))
      return FALSE;
  return TRUE;
}

static guint
count_words (const char *text, const char *word)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  guint n = 0;

  for (char **at = words; *at != NULL; at++)
    n += strcmp (*at, word) == 0;
  return n;
}

/* In the middle of a run, at each host: who is there, and then what each does, in its order. */
static gboolean
test_steps (G_GNUC_UNUSED gpointer data, GError **error)
{
  guint64 self = tractor_task_get_id ();
  g_autofree char *begins = NULL;
  g_autofree char *expected = NULL;
  g_autofree char *all = NULL;
  guint64 from;
  Ring ring;

  ring_init (&ring, 1024);
  from = start_trace (&ring, error);
  begins = g_strdup_printf ("step:%" G_GUINT64_FORMAT, self);
  all = read_ring (&ring, 0);
  g_assert_true (g_str_has_suffix (all, begins)); /* we have the processor */
  g_assert_nonnull (strstr (all, "task:1'main'"));
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "first", one_step, NULL, NULL, error);
    tractor_nursery_spawn (nursery, "a second one of thirty bytes", two_steps, NULL, NULL, error);
    tractor_nursery_join (nursery, error);
  }
  tractor_run_trace (77, 5, 6, "a note");
  tractor_run_stop_trace ();
  tractor_run_trace (78, 0, 0, NULL); /* to nobody */
  expected = g_strdup_printf (
      "spawned:%1$u/%3$u'first' spawned:%2$u/%3$u'a second one of thir''ty bytes' "
      "step:%1$u exited:%1$u step:%2$u step:%2$u exited:%2$u step:%3$u 77:6/5'a note'",
      (guint) self + 1, (guint) self + 2, (guint) self);
  assert_seen (&ring, from, expected);
  g_assert_cmpstr (ring.header->title, ==, "here");
  g_assert_cmpuint (ring.header->pid, ==, (guint) getpid ());
  ring_clear (&ring);
  return TRUE;
}

static gboolean
test_cancels (G_GNUC_UNUSED gpointer data, GError **error)
{
  guint self = (guint) tractor_task_get_id ();
  g_autofree char *expected = NULL;
  guint64 from;
  Ring ring;

  ring_init (&ring, 1024);
  from = start_trace (&ring, error);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

    if (i == 0)
      tractor_cancel_scope_cancel (scope, "enough");
    else
      tractor_cancel_scope_set_deadline (scope, tractor_now ());
  }
  tractor_run_stop_trace ();
  expected = g_strdup_printf ("cancelled:%u/%d'enough' cancelled:%u/%d'deadline'", self,
                              TRACTOR_CANCEL_EXPLICIT, self, TRACTOR_CANCEL_DEADLINE);
  assert_seen (&ring, from, expected);
  ring_clear (&ring);
  return TRUE;
}

static void
count (G_GNUC_UNUSED const TractorInstrumentEvent *event, gpointer data)
{
  ++*(guint *) data;
}

/* The same is in it if instruments look, too; and it begins and ends at any time. */
static gboolean
test_beside_instruments (G_GNUC_UNUSED gpointer data, GError **error)
{
  TractorGuest *guest = tractor_guest_get_current ();
  guint self = (guint) tractor_task_get_id ();
  g_autofree char *expected = g_strdup_printf ("step:%u step:%u step:%u", self, self, self);
  guint n_steps = 0;
  guint64 from;
  Ring ring;

  ring_init (&ring, 1024);
  from = start_trace (&ring, error);
  tractor_checkpoint (error);
  tractor_guest_add_instrument (guest, TRACTOR_INSTRUMENT_STEP_BEGINS, count, &n_steps);
  tractor_checkpoint (error);
  tractor_guest_remove_instrument (guest, count, &n_steps, error);
  tractor_checkpoint (error);
  tractor_run_stop_trace ();
  g_assert_cmpuint (n_steps, ==, 1);
  tractor_checkpoint (error);
  assert_seen (&ring, from, expected);
  ring_clear (&ring);
  return *error == NULL;
}

/* What is left of it explains itself: who the tasks are, and what time it is. */
static gboolean
test_goes_round (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean has_clock = FALSE;
  g_autofree char *seen = NULL;
  Ring ring;

  ring_init (&ring, 1024);
  start_trace (&ring, error);
  while (ring.header->n_written < 5000 || ring.header->n_written % 1024 > 100)
    if (!tractor_checkpoint (error))
      return FALSE;
  tractor_run_stop_trace ();
  for (guint i = 0; i < 1024; i++)
    has_clock = has_clock || ring.records[i].point == TRACTOR_TRACE_CLOCK;
  g_assert_true (has_clock);
  seen = read_ring (&ring, ring.header->n_written - 1024);
  g_assert_nonnull (strstr (seen, "task:1'main'"));
  ring_clear (&ring);
  return TRUE;
}

#define SOME_RECORDS 65536

/* Also a ring that is filled within a moment says what time it is. */
static gboolean
test_goes_round_within_a_moment (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean has_clock = FALSE;
  gboolean has_name = FALSE;
  Ring ring;

  ring_init (&ring, SOME_RECORDS);
  start_trace (&ring, error);
  while (ring.header->n_written < 10 * SOME_RECORDS) {
    for (guint i = 0; i < 100; i++)
      tractor_run_trace (77, i, 0, NULL);
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  tractor_run_stop_trace ();
  for (guint i = 0; i < SOME_RECORDS; i++) {
    has_clock = has_clock || ring.records[i].point == TRACTOR_TRACE_CLOCK;
    has_name = has_name || ring.records[i].point == TRACTOR_TRACE_TASK;
  }
  g_assert_true (has_clock);
  g_assert_true (has_name);
  ring_clear (&ring);
  return TRUE;
}

/* A handler of the host's that runs the loop once more, from within a task: who runs in there is noted, and so is each step
 * after it. */
static gboolean
test_a_loop_in_a_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  guint self = (guint) tractor_task_get_id ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autofree char *own = g_strdup_printf ("step:%u", self);
  g_autofree char *inside = g_strdup_printf ("step:%u", self + 1);
  g_autofree char *after = g_strdup_printf ("step:%u", self + 2);
  g_autofree char *seen = NULL;
  guint64 from;
  Ring ring;

  for (guint i = 0; i < 10000; i++) /* until many steps are given out at a time */
    if (!tractor_checkpoint (error))
      return FALSE;
  ring_init (&ring, 1024);
  from = start_trace (&ring, error);
  tractor_nursery_spawn (nursery, "inside", one_step, NULL, NULL, error);
  while (g_main_context_iteration (g_main_context_get_thread_default (), FALSE))
    ;
  tractor_nursery_spawn (nursery, "after", many_steps, NULL, NULL, error);
  for (guint i = 0; i < SOME_STEPS; i++)
    if (!tractor_checkpoint (error))
      return FALSE;
  tractor_nursery_join (nursery, error);
  tractor_run_stop_trace ();
  seen = read_ring (&ring, from);
  g_assert_cmpuint (count_words (seen, inside), ==, 1);
  g_assert_cmpuint (count_words (seen, after), ==, SOME_STEPS);
  g_assert_cmpuint (count_words (seen, own), >=, SOME_STEPS);
  ring_clear (&ring);
  return *error == NULL;
}

static gboolean
test_refused (G_GNUC_UNUSED gpointer data, GError **error)
{
  GError *failure = NULL;
  Ring small;
  Ring ring;

  ring_init (&small, 64);
  ring_init (&ring, 1024);
  g_assert_false (tractor_run_start_trace (small.fd, "here", &failure));
  g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_clear_error (&failure);
  g_assert_false (tractor_run_start_trace (-1, "here", &failure));
  g_assert_error (failure, G_FILE_ERROR, G_FILE_ERROR_BADF);
  g_clear_error (&failure);
  start_trace (&ring, error);
  g_assert_false (tractor_run_start_trace (ring.fd, "here", &failure));
  g_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_clear_error (&failure);
  tractor_run_stop_trace ();
  tractor_run_stop_trace (); /* harmless */
  ring_clear (&small);
  ring_clear (&ring);
  return TRUE;
}

/* A copy of the process writes nothing into what it shares. */
static gboolean
test_forked (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  guint64 from;
  Ring ring;
  pid_t pid;
  int status;

  ring_init (&ring, 1024);
  start_trace (&ring, error);
  from = ring.header->n_written;
  pid = fork ();
  if (pid == 0) {
    tractor_run_trace (77, 0, 0, "a copy");
    tractor_nursery_spawn (nursery, "of the copy", one_step, NULL, NULL, NULL);
    tractor_cancel_scope_cancel (scope, "in the copy");
    tractor_run_stop_trace ();
    _exit (0);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpuint (ring.header->n_written, ==, from);
  tractor_run_stop_trace ();
  ring_clear (&ring);
  return TRUE;
}

static gboolean
be_killed (gpointer data, GError **error)
{
  start_trace (data, error);
  tractor_run_trace (77, 0, 0, "last");
  raise (SIGKILL);
  return TRUE;
}

/* Who was killed has left all that it has noted. */
static void
test_killed (void)
{
  g_autofree char *seen = NULL;
  Ring ring;
  pid_t pid;
  int status;

  ring_init (&ring, 1024);
  pid = fork ();
  if (pid == 0)
    _exit (tractor_run (be_killed, &ring, NULL));
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  seen = read_ring (&ring, 0);
  g_assert_nonnull (strstr (seen, "77:0'last'"));
  ring_clear (&ring);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/trace/steps", test_steps);
  harness_add_task ("/guest/trace/cancels", test_cancels);
  harness_add_task ("/guest/trace/beside-instruments", test_beside_instruments);
  harness_add_task ("/guest/trace/goes-round", test_goes_round);
  harness_add_task ("/guest/trace/goes-round-within-a-moment", test_goes_round_within_a_moment);
  harness_add_task ("/guest/trace/a-loop-in-a-loop", test_a_loop_in_a_loop);
  harness_add_task ("/guest/trace/refused", test_refused);
  harness_add_task ("/guest/trace/forked", test_forked);
  harness_add ("/guest/trace/killed", test_killed);
  return harness_run ();
}
