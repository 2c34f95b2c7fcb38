/* test-crash.c - the last words of an actor that crashes: in which task, and where; and of one that leaves:
 * why. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "actors.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
call_abort (G_GNUC_UNUSED GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            G_GNUC_UNUSED GError **error)
{
  abort ();
}

static gboolean
fault (G_GNUC_UNUSED GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       G_GNUC_UNUSED GError **error)
{
  *(volatile int *) NULL = 1;
  return TRUE;
}

static guint
overflow_from (guint n)
{
  volatile char room[4096];

  room[0] = (char) n;
  return n == G_MAXUINT ? 0 : overflow_from (n + 1) + (guint) room[0];
}

static gboolean
overflow (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (overflow_from (0));
  return TRUE;
}

static gboolean
fault_without_descriptors (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 3;
  setrlimit (RLIMIT_NOFILE, &limit);
  return fault (kwargs, ret_result, error);
}

static gboolean
overflow_as_job (gpointer data, G_GNUC_UNUSED GError **error)
{
  *(guint *) data = overflow_from (0);
  return TRUE;
}

static gboolean
overflow_in_thread (G_GNUC_UNUSED GVariant *kwargs,
                    G_GNUC_UNUSED GVariant **ret_result,
                    GError **error)
{
  guint sum;

  return tractor_to_thread (overflow_as_job, &sum, NULL, 0, NULL, error);
}

static void
overflow_as_host (gpointer data)
{
  *(guint *) data = overflow_from (0);
}

static gboolean
overflow_in_host (G_GNUC_UNUSED GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  guint sum;

  return tractor_run_in_host (overflow_as_host, &sum, error);
}

/* A copy of the actor crashes, which is nothing of the actor's; and then the actor is killed. */
static gboolean
fault_in_copy (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    fault (kwargs, ret_result, error);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFSIGNALED (status));
  kill (getpid (), SIGKILL);
  return TRUE;
}

static gboolean
send_fault (G_GNUC_UNUSED GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            G_GNUC_UNUSED GError **error)
{
  kill (getpid (), SIGBUS);
  return TRUE;
}

/* Writes to stderr, which is the log's, and not among the last words. */
static gboolean
write_and_abort (G_GNUC_UNUSED GVariant *kwargs,
                 G_GNUC_UNUSED GVariant **ret_result,
                 G_GNUC_UNUSED GError **error)
{
  signal (SIGABRT, SIG_DFL); /* it has its own idea of a crash: none */
  g_printerr ("farewell\n");
  abort ();
}

/* What g_error(), and g_critical() with G_DEBUG=fatal-criticals, do. */
static gboolean
call_g_error (G_GNUC_UNUSED GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              G_GNUC_UNUSED GError **error)
{
  g_error ("there is no way on");
  return TRUE;
}

static gboolean
get_pid (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (getpid ());
  return TRUE;
}

/* Returns when it has been given a moment. */
static gboolean
return_soon (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (tractor_now () + SECOND / 20, error);
}

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Is told to end by SIGTERM, and does not let the loop go on. */
static gboolean
hog (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  kill (getpid (), SIGTERM);
  while (TRUE)
    pause ();
  g_assert_not_reached ();
}

/* Fails as a child of its own has crashed. */
static gboolean
have_crash (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  return tractor_run_in_actor ("grandchild", NULL, "test:abort", NULL, ret_result, error);
}

static const TractorExport exports[] = {
  { "have_crash", TRACTOR_EXPORT_CALL, have_crash },
  { "return_soon", TRACTOR_EXPORT_CALL, return_soon },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "hog", TRACTOR_EXPORT_CALL, hog },
  { "abort", TRACTOR_EXPORT_CALL, call_abort },
  { "g_error", TRACTOR_EXPORT_CALL, call_g_error },
  { "fault", TRACTOR_EXPORT_CALL, fault },
  { "overflow", TRACTOR_EXPORT_CALL, overflow },
  { "fault_without_descriptors", TRACTOR_EXPORT_CALL, fault_without_descriptors },
  { "overflow_in_thread", TRACTOR_EXPORT_CALL, overflow_in_thread },
  { "overflow_in_host", TRACTOR_EXPORT_CALL, overflow_in_host },
  { "fault_in_copy", TRACTOR_EXPORT_CALL, fault_in_copy },
  { "send_fault", TRACTOR_EXPORT_CALL, send_fault },
  { "write_and_abort", TRACTOR_EXPORT_CALL, write_and_abort },
  { "get_pid", TRACTOR_EXPORT_CALL, get_pid },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static gboolean
has_frames (const char *text)
{
  return strstr (text, ")[0x") != NULL;
}

/* (transfer full): what a call says of an actor that it has killed by @function; *@ret_description, (optional), is all
 * of it. */
static char *
call_and_crash_with (const char *function,
                     TractorOnDeath on_death,
                     char **ret_description,
                     GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "crasher",
      &(TractorSpawnOptions){ .host = harness_get_host ()->name, .on_death = on_death }, error);
  char *message;

  g_assert_no_error (*error);
  g_assert_false (tractor_portal_call (portal, function, NULL, NULL, error));
  message = g_strdup ((*error)->message);
  g_assert_false (has_frames (message));
  g_assert_null (strchr (message, '\n'));
  if (ret_description != NULL)
    *ret_description = tractor_error_describe (*error);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  tractor_actor_nursery_cancel (nursery);
  tractor_actor_nursery_join (nursery, error);
  g_assert_no_error (*error);
  assert_no_child_process ();
  return message;
}

static char *
call_and_crash (const char *function, TractorOnDeath on_death, GError **error)
{
  return call_and_crash_with (function, on_death, NULL, error);
}

static void
assert_tells (const char *message, const char *what)
{
  if (strstr (message, what) == NULL)
    g_error ("\"%s\" is not in:\n%s", what, message);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static gboolean
test_abort (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *description = NULL;
  g_autofree char *message =
      call_and_crash_with ("test:abort", TRACTOR_ON_DEATH_IGNORE, &description, error);

  assert_tells (message, "was killed by signal 6 (Aborted), with 1 call open: in task 'abort'");
  assert_tells (message, "in task 'abort'");
  assert_tells (description,
                "e2e_test_crash(call_abort"); /* which ends in a call that does not return */
  return TRUE;
}

static gboolean
test_g_error (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message = call_and_crash ("test:g_error", TRACTOR_ON_DEATH_IGNORE, error);

  assert_tells (message, "was killed by signal 5");
  assert_tells (message, "in task 'g_error'");
  return TRUE;
}

static gboolean
test_fault (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *description = NULL;
  g_autofree char *message =
      call_and_crash_with ("test:fault", TRACTOR_ON_DEATH_IGNORE, &description, error);

  assert_tells (message, "was killed by signal 11");
  assert_tells (message, "in task 'fault'");
  assert_tells (description, "e2e_test_crash(fault");
  return TRUE;
}

/* The names that the file would have are missing, and the reason is the true one. */
static gboolean
test_fault_without_descriptors (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *description = NULL;
  g_autofree char *message = call_and_crash_with ("test:fault_without_descriptors",
                                                  TRACTOR_ON_DEATH_IGNORE, &description, error);

  assert_tells (message, "was killed by signal 11");
  assert_tells (description, "the program's file could not be opened");
  g_assert_null (strstr (description, "stripped"));
  return TRUE;
}

/* The handler has a stack of its own. */
static gboolean
test_overflow (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *description = NULL;
  g_autofree char *message =
      call_and_crash_with ("test:overflow", TRACTOR_ON_DEATH_IGNORE, &description, error);

  assert_tells (message, "was killed by signal 11");
  assert_tells (message, strcmp (harness_get_host ()->name, "glib") == 0
                             ? "task 'overflow' has overflowed its stack of 1024 KiB"
                             : "task 'overflow' has overflowed its stack of 256 KiB");
  assert_tells (description, "e2e_test_crash(overflow_from");
  return TRUE;
}

/* A thread of the pool has such a stack for the handler as well. */
static gboolean
test_overflow_in_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *description = NULL;
  g_autofree char *message =
      call_and_crash_with ("test:overflow_in_thread", TRACTOR_ON_DEATH_IGNORE, &description, error);

  assert_tells (message, "was killed by signal 11");
  assert_tells (message, "a thread of tractor_to_thread() has overflowed its stack");
  assert_tells (description, "e2e_test_crash(overflow_from");
  return TRUE;
}

static gboolean
test_overflow_in_host (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message =
      call_and_crash ("test:overflow_in_host", TRACTOR_ON_DEATH_IGNORE, error);

  assert_tells (message, "was killed by signal 11");
  assert_tells (message, "outside any task, a thread has overflowed its stack");
  return TRUE;
}

static gboolean
test_fault_in_copy (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message = call_and_crash ("test:fault_in_copy", TRACTOR_ON_DEATH_IGNORE, error);

  assert_tells (message, "was killed by signal 9");
  g_assert_null (strstr (message, "in task")); /* those would be the words of the copy */
  return TRUE;
}

static gboolean
test_sent (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message = call_and_crash ("test:send_fault", TRACTOR_ON_DEATH_IGNORE, error);

  assert_tells (message, "was killed by signal 7");
  assert_tells (message, "in task 'send_fault'");
  return TRUE;
}

static gboolean
test_handled_by_program (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message =
      call_and_crash ("test:write_and_abort", TRACTOR_ON_DEATH_IGNORE, error);

  g_assert_true (g_str_has_suffix (message, "was killed by signal 6 (Aborted), with 1 call open"));
  return TRUE;
}

/* An error that comes from further away has its frames in the same place. */
static gboolean
test_passed_on (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *description = NULL;

  g_assert_false (tractor_run_in_actor ("middle", NULL, "test:have_crash", NULL, NULL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  assert_tells ((*error)->message, "in task 'abort'");
  g_assert_false (has_frames ((*error)->message));
  description = tractor_error_describe (*error);
  assert_tells (description, "in have_crash(), process ");
  assert_tells (description, "e2e_test_crash(call_abort");
  g_assert_true (has_frames (tractor_error_get_backtrace (*error)));
  g_clear_error (error);
  return TRUE;
}

/* A life that ends without a word has none of the one before. */
static gboolean
test_next_life (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (nursery, "crasher",
                                   &(TractorSpawnOptions){ .host = harness_get_host ()->name,
                                                           .on_death = TRACTOR_ON_DEATH_RESTART },
                                   error);
  g_autoptr (GVariant) pid = NULL;

  g_assert_false (tractor_portal_call (portal, "test:abort", NULL, NULL, error));
  assert_tells ((*error)->message, "in task 'abort'");
  g_clear_error (error);
  g_assert_true (tractor_portal_call (portal, "test:get_pid", NULL, &pid, error));
  g_assert_false (tractor_portal_call (portal, "test:write_and_abort", NULL, NULL, error));
  g_assert_true (g_str_has_suffix ((*error)->message, "with 1 call open"));
  g_clear_error (error);
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

/* --- leaving -------------------------------------------------------------------------------------- */

/* The only connection that this process has: to its child. */
static int
find_connection (void)
{
  struct sockaddr_storage name;

  for (int fd = 3; fd < 64; fd++) {
    socklen_t length = sizeof name;

    if (getpeername (fd, (struct sockaddr *) &name, &length) == 0)
      return fd;
  }
  g_assert_not_reached ();
}

/* In the place of something that happens to a connection and to neither end of it. */
static void
break_connection (gboolean with_unread_data)
{
  int fd = find_connection ();
  int other = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (with_unread_data) /* and nobody else has a turn meanwhile */
    g_assert_cmpint (poll (&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000), ==, 1);
  g_assert_cmpint (dup3 (other, fd, O_CLOEXEC), ==, fd);
  close (other);
}

typedef struct {
  TractorPortal *portal;
  const char *function;
  char *message;
} Calling;

static gboolean
call_in_task (gpointer data, GError **error)
{
  Calling *calling = data;

  g_assert_false (tractor_portal_call (calling->portal, calling->function, NULL, NULL, error));
  calling->message = g_strdup ((*error)->message);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

/* What a call of @function says if @happens while it runs. */
static char *
call_until (const char *function, void (*happens) (TractorPortal *portal), GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (nursery, "leaver",
                                   &(TractorSpawnOptions){ .host = harness_get_host ()->name,
                                                           .on_death = TRACTOR_ON_DEATH_IGNORE },
                                   error);
  g_autoptr (TractorNursery) callers = tractor_nursery_open ();
  Calling calling = { portal, function, NULL };

  g_assert_no_error (*error);
  tractor_nursery_spawn (callers, "caller", call_in_task, &calling, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  happens (portal);
  g_assert_true (tractor_nursery_join (callers, error));
  g_assert_true (tractor_actor_nursery_join (nursery, error));
  return calling.message;
}

static void
reset (G_GNUC_UNUSED TractorPortal *portal)
{
  break_connection (TRUE);
}

/* All that it has sent has been read: a close with something unread would be a reset. */
static void
shut_down (TractorPortal *portal)
{
  g_autoptr (GVariant) answer = NULL;

  g_assert_true (tractor_portal_call (portal, "test:get_pid", NULL, &answer, NULL));
  break_connection (FALSE);
}

static void
do_nothing (G_GNUC_UNUSED TractorPortal *portal)
{
}

static gboolean
test_connection_broke (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message = call_until ("test:return_soon", reset, error);

  assert_tells (message,
                "has ended, with 1 call open: the connection to its parent broke (ECONNRESET)");
  g_assert_null (strstr (message, "status"));
  return TRUE;
}

static gboolean
test_connection_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message = call_until ("test:sleep_forever", shut_down, error);

  assert_tells (message, "has ended, with 1 call open: it has no connection to its parent: ");
  assert_tells (message, "the other end closed it");
  return TRUE;
}

static gboolean
test_cannot_end_in_time (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *message = call_until ("test:hog", do_nothing, error);

  assert_tells (message, "was killed by signal 9");
  assert_tells (message, "it was told to end, by SIGTERM");
  return TRUE;
}

static gboolean
test_terminated (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (
      nursery, "leaver", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);

  kill (tractor_portal_get_pid (portal), SIGTERM);
  g_assert_false (tractor_actor_nursery_join (nursery, error));
  assert_tells ((*error)->message, "has ended: it was told to end, by SIGTERM");
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/crash/abort", test_abort);
  harness_add_real_task ("/e2e/crash/g_error", test_g_error);
  if (!HARNESS_HAS_SANITIZER) { /* which handles these itself */
    harness_add_real_task ("/e2e/crash/fault", test_fault);
    harness_add_real_task ("/e2e/crash/fault-without-descriptors", test_fault_without_descriptors);
    harness_add_real_task ("/e2e/crash/overflow", test_overflow);
    harness_add_real_task ("/e2e/crash/overflow-in-thread", test_overflow_in_thread);
    harness_add_real_task ("/e2e/crash/overflow-in-host", test_overflow_in_host);
    harness_add_real_task ("/e2e/crash/fault-in-a-copy", test_fault_in_copy);
    harness_add_real_task ("/e2e/crash/sent", test_sent);
  }
  harness_add_real_task ("/e2e/crash/handled-by-the-program", test_handled_by_program);
  harness_add_real_task ("/e2e/crash/passed-on", test_passed_on);
  harness_add_real_task ("/e2e/crash/next-life", test_next_life);
  harness_add_real_task ("/e2e/last-words/connection-broke", test_connection_broke);
  harness_add_real_task ("/e2e/last-words/connection-closed", test_connection_closed);
  harness_add_real_task ("/e2e/last-words/terminated", test_terminated);
  harness_add_real_task ("/e2e/last-words/cannot-end-in-time", test_cannot_end_in_time);
  return harness_run ();
}
