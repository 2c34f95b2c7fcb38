/* test-debug-lock.c - an actor that stops for the debugger, as the broker sees it.
 *
 * The broker is one of the test's own: a thread, which says what each test has it say. So there need be no terminal and
 * no gdb; tests/debug has both. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "debug-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "debug-protocol.h"
#include "harness.h"
#include "tractor-debugger.h"
#include "tractor-sync.h"
#include "tractor-thread.h"

#define ALL_KINDS                                                                                  \
  (DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_PAUSE) | DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_CRASH) |         \
   DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_ERROR))

/* --- the broker ---------------------------------------------------------------------------------- */

typedef struct _Broker Broker;

struct _Broker {
  char *dir;
  char *prefix;
  char *socket_path;
  char *page_path;
  DebugPage *page;
  int listener;
  void (*play) (Broker *broker); /* in a thread of its own */
  GThread *thread;

  DebugMsg ask;          /* the last one */
  TractorDebugStop stop; /* as it was when the actor was ready */
  TractorToken *token;   /* of the test's guest */
  TractorCancelScope *scope;
  int turns; /* an eventfd: what the test's tasks have done meanwhile */
};

/* For a minute, and no longer. */
static void
wait_readable (int fd)
{
  g_assert_cmpint (poll (&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 60 * 1000), ==, 1);
}

static DebugMsg
take (int fd)
{
  DebugMsg message;

  wait_readable (fd);
  g_assert_cmpint (recv (fd, &message, sizeof message, 0), ==, sizeof message);
  g_assert_cmpint (message.version, ==, DEBUG_VERSION);
  return message;
}

/* Somebody asks: his end of the conversation. */
static int
take_ask (Broker *broker)
{
  int fd;

  wait_readable (broker->listener);
  fd = accept4 (broker->listener, NULL, NULL, SOCK_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  broker->ask = take (fd);
  g_assert_cmpint (broker->ask.type, ==, DEBUG_MSG_ASK);
  return fd;
}

static void
take_ready (Broker *broker, int fd)
{
  g_assert_cmpint (take (fd).type, ==, DEBUG_MSG_READY);
  broker->stop = tractor_debug_1.stop;
}

static void
take_end (int fd)
{
  char byte;

  wait_readable (fd);
  g_assert_cmpint (recv (fd, &byte, 1, 0), ==, 0);
  close (fd);
}

static void
give (int fd, DebugMsgType type)
{
  DebugMsg message = { .version = DEBUG_VERSION, .type = (guint8) type };

  g_assert_cmpint (send (fd, &message, sizeof message, MSG_NOSIGNAL), ==, sizeof message);
}

/* One turn, from the question to the end. */
static void
serve_one (Broker *broker)
{
  int fd = take_ask (broker);

  give (fd, DEBUG_MSG_GO);
  take_ready (broker, fd);
  give (fd, DEBUG_MSG_BYE);
  take_end (fd);
}

static gpointer
run_broker (gpointer data)
{
  Broker *broker = data;

  broker->play (broker);
  return NULL;
}

static void
make_page (Broker *broker)
{
  int fd = open (broker->page_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, sizeof (DebugPage)), ==, 0);
  broker->page = mmap (NULL, sizeof (DebugPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (broker->page != MAP_FAILED);
  close (fd);
  broker->page->version = DEBUG_VERSION;
  broker->page->kinds = ALL_KINDS;
}

static void
make_socket (Broker *broker)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  g_strlcpy (address.sun_path, broker->socket_path, sizeof address.sun_path);
  broker->listener = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (broker->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (broker->listener, 8), ==, 0);
}

/* @play: (nullable): nobody is to ask. */
static Broker *
broker_begin (const char *name, void (*play) (Broker *broker))
{
  ActorId actor = { .name = (char *) name, .uuid = (char *) "6d" };
  Broker *broker = g_new0 (Broker, 1);
  GError *error = NULL;

  broker->dir = g_dir_make_tmp ("debug-XXXXXX", NULL);
  broker->prefix = g_build_filename (broker->dir, "debug", NULL);
  broker->socket_path = g_strconcat (broker->prefix, DEBUG_SOCKET_SUFFIX, NULL);
  broker->page_path = g_strconcat (broker->prefix, DEBUG_PAGE_SUFFIX, NULL);
  broker->turns = eventfd (0, EFD_CLOEXEC);
  make_page (broker);
  make_socket (broker);
  tractor__debug_join (broker->prefix, &actor, &error);
  g_assert_no_error (error);
  broker->play = play;
  if (play != NULL)
    broker->thread = g_thread_new ("broker", run_broker, broker);
  return broker;
}

static void
broker_await (Broker *broker)
{
  if (broker->thread != NULL)
    g_thread_join (g_steal_pointer (&broker->thread));
}

static void
broker_end (Broker *broker)
{
  broker_await (broker);
  /* Nobody has asked but who was to. */
  g_assert_cmpint (poll (&(struct pollfd){ .fd = broker->listener, .events = POLLIN }, 1, 0), ==,
                   0);
  close (broker->listener);
  close (broker->turns);
  tractor__debug_leave ();
  munmap (broker->page, sizeof (DebugPage));
  unlink (broker->socket_path);
  unlink (broker->page_path);
  rmdir (broker->dir);
  g_free (broker->socket_path);
  g_free (broker->page_path);
  g_free (broker->prefix);
  g_free (broker->dir);
  g_free (broker);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Broker, broker_end)

/* --- a pause ------------------------------------------------------------------------------------- */

static gboolean
test_says_who_and_why (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_one);

  g_assert_true (tractor_debug_is_on ());
  g_assert_true (tractor_pause (error));
  broker_await (broker);
  g_assert_cmpint (broker->ask.kind, ==, TRACTOR_DEBUG_STOP_PAUSE);
  g_assert_cmpint (broker->ask.tid, ==, (gint32) syscall (SYS_gettid));
  g_assert_cmpuint (broker->ask.task_id, ==, tractor_task_get_id ());
  g_assert_cmpuint (broker->ask.failure, ==, 0);
  g_assert_cmpstr (broker->ask.actor, ==, "kid");
  g_assert_cmpstr (broker->ask.task, ==, tractor_task_get_name ());
  /* A debugger sees the same when it comes, and nothing is left of it. */
  g_assert_cmpint (broker->stop.kind, ==, TRACTOR_DEBUG_STOP_PAUSE);
  g_assert_cmpint (broker->stop.tid, ==, broker->ask.tid);
  g_assert_cmpuint (broker->stop.task_id, ==, broker->ask.task_id);
  g_assert_true (broker->stop.error_at == error);
  g_assert_cmpint (tractor_debug_1.stop.kind, ==, TRACTOR_DEBUG_STOP_NONE);
  return TRUE;
}

static gboolean
test_long_names_are_cut (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *name = g_strnfill (300, 'n');
  g_autoptr (Broker) broker = broker_begin (name, serve_one);

  g_assert_true (tractor_pause (error));
  broker_await (broker);
  g_assert_cmpuint (strlen (broker->ask.actor), ==, sizeof broker->ask.actor - 1);
  return TRUE;
}

#define SOME_TURNS 3

static gboolean
take_turns (gpointer data, GError **error)
{
  Broker *broker = data;

  for (guint i = 0; i < SOME_TURNS; i++) {
    if (!tractor_checkpoint (error))
      return FALSE;
  }
  g_assert_cmpint (eventfd_write (broker->turns, 1), ==, 0);
  return TRUE;
}

static void
serve_when_others_had_turns (Broker *broker)
{
  int fd = take_ask (broker);

  wait_readable (broker->turns);
  give (fd, DEBUG_MSG_GO);
  take_ready (broker, fd);
  give (fd, DEBUG_MSG_BYE);
  take_end (fd);
}

static gboolean
test_others_run_until_its_turn (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_when_others_had_turns);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  g_assert_true (tractor_nursery_spawn (nursery, "other", take_turns, broker, NULL, error));
  g_assert_true (tractor_pause (error));
  return tractor_nursery_join (nursery, error);
}

static void
cancel (gpointer data)
{
  tractor_cancel_scope_cancel (data, "changed my mind");
}

static void
cancel_who_asks (Broker *broker)
{
  int fd = take_ask (broker);

  g_assert_true (tractor_token_run_soon (broker->token, cancel, broker->scope));
  take_end (fd);
}

/* Who is cancelled in the line leaves it, and hears how one stops there too. */
static gboolean
test_a_cancel_ends_the_wait (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (Broker) broker = broker_begin ("kid", NULL);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (GError) error = NULL;

  broker->token = tractor_token_get_current ();
  broker->scope = scope;
  broker->play = cancel_who_asks;
  broker->thread = g_thread_new ("broker", run_broker, broker);
  g_assert_false (tractor_pause (&error));
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_nonnull (strstr (error->message, "tractor_pause_shielded()"));
  broker_await (broker);
  tractor_token_unref (broker->token);
  g_assert_true (tractor_cancel_scope_absorb (scope, &error));
  g_clear_error (&error);
  return TRUE;
}

static gboolean
test_a_shielded_one_stops_when_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_one);
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_cancel (scope, "before it");
  g_assert_true (tractor_pause_shielded (error));
  return TRUE;
}

static void
quit_who_asks (Broker *broker)
{
  int fd = take_ask (broker);

  give (fd, DEBUG_MSG_GO);
  take_ready (broker, fd);
  tractor_debug_1.stop.verdict = TRACTOR_DEBUG_QUIT;
  give (fd, DEBUG_MSG_BYE);
  take_end (fd);
}

static gboolean
test_quit_fails_it (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autoptr (Broker) broker = broker_begin ("kid", quit_who_asks);
  GError *error = NULL;

  g_assert_false (tractor_pause (&error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_DEBUG_QUIT);
  return TRUE;
}

/* --- a debugger that stays ----------------------------------------------------------------------- */

typedef struct {
  pid_t pid;
  int end; /* which it ends with */
} Tracer;

/* A debugger that has attached to the thread that stops, and looks at nothing. */
static Tracer
tracer_start (pid_t tid)
{
  int to[2], from[2];
  Tracer tracer;
  char byte = 0;

  g_assert_cmpint (pipe2 (to, O_CLOEXEC) | pipe2 (from, O_CLOEXEC), ==, 0);
  tracer.pid = fork ();
  if (tracer.pid == 0) {
    close (to[1]);
    if (ptrace (PTRACE_SEIZE, tid, NULL, NULL) != 0 || write (from[1], &byte, 1) != 1)
      _exit (1);
    _exit (read (to[0], &byte, 1) == 0 ? 0 : 1);
  }
  close (to[0]);
  close (from[1]);
  g_assert_cmpint (read (from[0], &byte, 1), ==, 1);
  close (from[0]);
  tracer.end = to[1];
  return tracer;
}

static void
tracer_end (Tracer *tracer)
{
  int status;

  close (tracer->end);
  g_assert_cmpint (waitpid (tracer->pid, &status, 0), ==, tracer->pid);
  g_assert_cmpint (status, ==, 0);
}

static void
let_go_and_stay (Broker *broker)
{
  int fd = take_ask (broker);
  Tracer tracer;

  give (fd, DEBUG_MSG_GO);
  take_ready (broker, fd);
  tracer = tracer_start (broker->ask.tid);
  __atomic_store_n (&tractor_debug_1.stop.go, 1, __ATOMIC_RELEASE);
  wait_readable (broker->turns);
  tracer_end (&tracer);
  serve_one (broker);
  close (fd); /* this broker hears late that the debugger has gone */
}

/* While it lets the actor run, this has the lock, and does not ask again; when it has gone, it does. */
static gboolean
test_the_lock_is_kept (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", let_go_and_stay);

  g_assert_false (tractor__debug_has_lock ());
  g_assert_true (tractor_pause (error));
  g_assert_true (tractor__debug_has_lock ());
  g_assert_true (
      tractor_pause (error)); /* nobody is there to serve it: the debugger has a breakpoint */
  g_assert_cmpint (tractor_debug_1.stop.kind, ==, TRACTOR_DEBUG_STOP_NONE);
  g_assert_cmpint (eventfd_write (broker->turns, 1), ==, 0);
  while (tractor__debug_has_lock ())
    if (!tractor_sleep_until (tractor_now () + 1000, error))
      return FALSE;
  return tractor_pause (error);
}

/* --- a broker that is not there, or goes, or talks nonsense -------------------------------------- */

static void
end_at_ask (Broker *broker)
{
  close (take_ask (broker));
}

/* What it gave could not be taken any more. */
static void
miss_one_and_serve_one (Broker *broker)
{
  int fd = take_ask (broker);

  g_assert_cmpint (shutdown (fd, SHUT_RD), ==, 0);
  give (fd, DEBUG_MSG_GO);
  close (fd);
  serve_one (broker);
}

static void
end_at_ready (Broker *broker)
{
  int fd = take_ask (broker);

  give (fd, DEBUG_MSG_GO);
  take_ready (broker, fd);
  close (fd);
}

static void
answer_nonsense (Broker *broker)
{
  int fd = take_ask (broker);

  g_assert_cmpint (send (fd, "what?", 5, MSG_NOSIGNAL), ==, 5);
  take_end (fd);
}

static void
answer_of_another_version (Broker *broker)
{
  DebugMsg message = { .version = DEBUG_VERSION + 1, .type = DEBUG_MSG_GO };
  int fd = take_ask (broker);

  g_assert_cmpint (send (fd, &message, sizeof message, MSG_NOSIGNAL), ==, sizeof message);
  take_end (fd);
}

/* Whoever asked goes on by itself, as if it had been told to. */
static gboolean
test_nobody_is_left_waiting (G_GNUC_UNUSED gpointer data, GError **error)
{
  void (*const ways[]) (Broker * broker) = { end_at_ask, end_at_ready, answer_nonsense,
                                             answer_of_another_version };

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    g_autoptr (Broker) broker = broker_begin ("kid", ways[i]);

    g_assert_true (tractor_pause (error));
    g_assert_false (tractor__debug_has_lock ());
    g_assert_cmpint (tractor_debug_1.stop.kind, ==, TRACTOR_DEBUG_STOP_NONE);
  }
  return TRUE;
}

/* The broker is there: it only took us for gone. */
static gboolean
test_a_turn_that_was_missed_is_asked_for_again (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", miss_one_and_serve_one);

  g_assert_true (tractor_pause (error));
  broker_await (broker);
  g_assert_cmpint (broker->stop.kind, ==, TRACTOR_DEBUG_STOP_PAUSE);
  return TRUE;
}

static gboolean
test_and_so_is_that_of_a_failure (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", miss_one_and_serve_one);
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "broken");

  tractor_post_mortem (failure);
  broker_await (broker);
  g_assert_cmpint (broker->stop.kind, ==, TRACTOR_DEBUG_STOP_ERROR);
  return TRUE;
}

static gboolean
test_no_broker_at_all (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", NULL);

  unlink (broker->socket_path);
  return tractor_pause (error);
}

static gboolean
test_files_that_are_not_there (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autofree char *long_prefix = g_strnfill (200, 'p');
  ActorId actor = { .name = (char *) "kid", .uuid = (char *) "6d" };
  GError *error = NULL;

  g_assert_false (tractor__debug_join ("/nowhere/debug", &actor, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_false (tractor__debug_join (long_prefix, &actor, &error));
  harness_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG);
  g_assert_false (tractor_debug_is_on ());
  return TRUE;
}

/* --- who asks at all ----------------------------------------------------------------------------- */

static gboolean
test_what_is_not_wanted_does_not_ask (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", NULL);
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "broken");

  broker->page->kinds = DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_ERROR);
  g_assert_true (tractor_pause (error));
  broker->page->kinds = DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_PAUSE);
  tractor_post_mortem (failure);
  broker->page->kinds = ALL_KINDS;
  broker->page->is_off = 1;
  g_assert_false (tractor_debug_is_on ());
  return tractor_pause (error);
}

/* Its end of the conversation would be taken for the original's. */
static gboolean
test_a_copy_of_the_process_does_not_ask (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", NULL);
  int status = 0;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (tractor_debug_is_on () || !tractor_pause (NULL) ? 1 : 0);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  return TRUE;
}

static gboolean
pause_without_descriptors (const char *broker_prefix)
{
  const struct rlimit few = { 64, 64 };
  ActorId actor = { .name = (char *) "leaky", .uuid = (char *) "7e" };

  if (!tractor__debug_join (broker_prefix, &actor, NULL) || setrlimit (RLIMIT_NOFILE, &few) != 0)
    return FALSE;
  while (dup (STDERR_FILENO) >= 0)
    ;
  return tractor_pause (NULL);
}

/* What leaks them is what somebody wants to look at. */
static void
test_no_descriptor_is_left (void)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_one);
  int status = 0;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (pause_without_descriptors (broker->prefix) ? 0 : 1);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  broker_await (broker);
  g_assert_cmpstr (broker->ask.actor, ==, "leaky");
}

#define SOME_JOINS 200

static gpointer
ask_whether_it_is_on (gpointer data)
{
  const int *has_ended = data;
  gsize times_on = 0;

  while (!g_atomic_int_get (has_ended))
    times_on += (gsize) tractor_debug_is_on ();
  return GSIZE_TO_POINTER (times_on);
}

static gsize
count_pages (const char *path)
{
  g_autofree char *maps = NULL;
  gsize n = 0;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  for (const char *at = maps; (at = strstr (at, path)) != NULL; at++)
    n++;
  return n;
}

/* The page of a tree that was left may be read by another thread at this moment: it stays, and there is one. */
static void
test_threads_ask_while_trees_come_and_go (void)
{
  g_autoptr (Broker) broker = broker_begin ("kid", NULL);
  ActorId actor = { .name = (char *) "kid", .uuid = (char *) "6d" };
  int has_ended = FALSE;
  GThread *thread = g_thread_new ("asks", ask_whether_it_is_on, &has_ended);
  GError *error = NULL;

  for (guint i = 0; i < SOME_JOINS; i++) {
    tractor__debug_leave ();
    g_assert_false (tractor_debug_is_on ());
    tractor__debug_join (broker->prefix, &actor, &error);
    g_assert_no_error (error);
    g_assert_true (tractor_debug_is_on ());
  }
  g_atomic_int_set (&has_ended, TRUE);
  g_thread_join (thread);
  g_assert_cmpuint (count_pages (broker->page_path), ==, 2); /* with the broker's own */
}

static gpointer
pause_in_thread (gpointer data)
{
  return GINT_TO_POINTER (tractor_pause (data) ? (int) syscall (SYS_gettid) : 0);
}

static void
test_a_thread_blocks_itself (void)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_one);
  GThread *thread = g_thread_new ("pauses", pause_in_thread, NULL);
  int tid = GPOINTER_TO_INT (g_thread_join (thread));

  broker_await (broker);
  g_assert_cmpint (broker->ask.tid, ==, tid);
  g_assert_cmpuint (broker->ask.task_id, ==, 0);
  g_assert_cmpstr (broker->ask.task, ==, "");
}

/* The turn of the second is given before the first has heard the end of its own. */
static void
serve_two_at_once (Broker *broker)
{
  int first = take_ask (broker);
  int second = take_ask (broker);

  give (first, DEBUG_MSG_GO);
  take_ready (broker, first);
  give (second, DEBUG_MSG_GO);
  give (first, DEBUG_MSG_BYE);
  take_end (first);
  take_ready (broker, second);
  g_assert_cmpint (broker->stop.kind, ==, TRACTOR_DEBUG_STOP_PAUSE);
  give (second, DEBUG_MSG_BYE);
  take_end (second);
}

static void
test_two_threads_stop_one_after_the_other (void)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_two_at_once);
  GThread *threads[] = { g_thread_new ("pauses", pause_in_thread, NULL),
                         g_thread_new ("pauses too", pause_in_thread, NULL) };
  int tids[2];

  for (guint i = 0; i < 2; i++)
    tids[i] = GPOINTER_TO_INT (g_thread_join (threads[i]));
  broker_await (broker);
  /* What a debugger read of the second is its own. */
  g_assert_cmpint (broker->ask.tid, ==, broker->stop.tid);
  g_assert_true (broker->stop.tid == tids[0] || broker->stop.tid == tids[1]);
  g_assert_cmpint (tractor_debug_1.stop.kind, ==, TRACTOR_DEBUG_STOP_NONE);
}

/* --- failures ------------------------------------------------------------------------------------ */

static gboolean
test_a_failure_is_told_once_quit (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (Broker) broker = broker_begin ("kid", serve_one);
  g_autoptr (GError) failure = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "broken");

  tractor_post_mortem (failure);
  broker_await (broker);
  g_assert_cmpint (broker->ask.kind, ==, TRACTOR_DEBUG_STOP_ERROR);
  g_assert_cmpint (broker->stop.kind, ==, TRACTOR_DEBUG_STOP_ERROR);
  g_assert_true (broker->stop.text == failure->message);
  g_assert_cmpuint (broker->ask.failure, !=, 0);
  /* Who looked at it has quit. */
  broker->page->quit[0] = broker->ask.failure;
  broker->page->n_quit = 1;
  tractor_post_mortem (failure);
  return TRUE;
}

static gboolean
test_another_failure_is_another (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autoptr (GError) one = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_IO, "broken");
  g_autoptr (GError) other = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOENT, "broken");
  guint64 numbers[2];

  for (guint i = 0; i < 2; i++) {
    g_autoptr (Broker) broker = broker_begin ("kid", serve_one);

    tractor_post_mortem (i == 0 ? one : other);
    broker_await (broker);
    numbers[i] = broker->ask.failure;
  }
  g_assert_cmpuint (numbers[0], !=, numbers[1]);
  return TRUE;
}

static gboolean
test_what_is_nobodys_fault_does_not_ask (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const TractorError of_nobody[] = { TRACTOR_ERROR_CANCELLED,
                                            TRACTOR_ERROR_CONTEXT_CANCELLED,
                                            TRACTOR_ERROR_DEBUG_QUIT };
  g_autoptr (Broker) broker = broker_begin ("kid", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (of_nobody); i++) {
    g_autoptr (GError) failure = g_error_new_literal (TRACTOR_ERROR, of_nobody[i], "told to end");

    tractor_post_mortem (failure);
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_real_task ("/src/debug-lock/says-who-and-why", test_says_who_and_why);
  harness_add_real_task ("/src/debug-lock/long-names-are-cut", test_long_names_are_cut);
  harness_add_real_task ("/src/debug-lock/others-run-until-its-turn",
                         test_others_run_until_its_turn);
  harness_add_real_task ("/src/debug-lock/a-cancel-ends-the-wait", test_a_cancel_ends_the_wait);
  harness_add_real_task ("/src/debug-lock/a-shielded-one-stops-when-cancelled",
                         test_a_shielded_one_stops_when_cancelled);
  harness_add_real_task ("/src/debug-lock/quit-fails-it", test_quit_fails_it);
  harness_add_real_task ("/src/debug-lock/the-lock-is-kept", test_the_lock_is_kept);
  harness_add_real_task ("/src/debug-lock/nobody-is-left-waiting", test_nobody_is_left_waiting);
  harness_add_real_task ("/src/debug-lock/a-turn-that-was-missed-is-asked-for-again",
                         test_a_turn_that_was_missed_is_asked_for_again);
  harness_add_real_task ("/src/debug-lock/and-so-is-that-of-a-failure",
                         test_and_so_is_that_of_a_failure);
  harness_add_real_task ("/src/debug-lock/no-broker-at-all", test_no_broker_at_all);
  harness_add_real_task ("/src/debug-lock/files-that-are-not-there", test_files_that_are_not_there);
  harness_add_real_task ("/src/debug-lock/what-is-not-wanted-does-not-ask",
                         test_what_is_not_wanted_does_not_ask);
  harness_add_real_task ("/src/debug-lock/a-copy-of-the-process-does-not-ask",
                         test_a_copy_of_the_process_does_not_ask);
  harness_add ("/src/debug-lock/a-thread-blocks-itself", test_a_thread_blocks_itself);
  harness_add ("/src/debug-lock/no-descriptor-is-left", test_no_descriptor_is_left);
  harness_add ("/src/debug-lock/threads-ask-while-trees-come-and-go",
               test_threads_ask_while_trees_come_and_go);
  harness_add ("/src/debug-lock/two-threads-stop-one-after-the-other",
               test_two_threads_stop_one_after_the_other);
  harness_add_real_task ("/src/debug-lock/a-failure-is-told-once-quit",
                         test_a_failure_is_told_once_quit);
  harness_add_real_task ("/src/debug-lock/another-failure-is-another",
                         test_another_failure_is_another);
  harness_add_real_task ("/src/debug-lock/what-is-nobodys-fault-does-not-ask",
                         test_what_is_nobodys_fault_does_not_ask);
  return harness_run ();
}
