/* broker.c - the process that has the debugger's lock and the terminal for a whole tree.
 *
 * It is no part of the root, which may itself be stopped, crash, or compute for an hour: it serves all the same. The root
 * starts it when the first runtime in debug mode opens, and ends it when the last run that had one ends: not with the
 * runtime, for what the main task fails with is looked at after that. A root that dies is missed by it (tools/debugger).
 *
 * The root makes the page of memory by which the tree knows whether it is held (patience.c), and so can say that it is
 * not when the broker is no more: nobody waits for a lock that nobody keeps. Debug mode is off then.
 *
 * An actor that a Python root in debug mode has started has one too, for itself and those below it: it asks that root for
 * each turn, which an actor that crashes could not (tools/debugger/python-root.c).
 *
 * There is one for a process. A second root, in another thread or on the same loop, has the first one's; so nothing here
 * suspends with the lock. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crash.h"
#include "debug-lock.h"
#include "debug-protocol.h"
#include "dump-signal.h"
#include "lent-terminal.h"
#include "log.h"
#include "process.h"
#include "python-lock.h"
#include "raise-site.h"
#include "runtime-dir.h"

#define MODE_VARIABLE    "TRACTOR_DEBUG"
#define DUMP_VARIABLE    "TRACTOR_DUMP"
#define PROGRAM_VARIABLE "TRACTOR_DEBUGGER"
#define TERMINAL_ITEM    "terminal="

/* From its start to serving, and from being told to end to its end. */
#define PATIENCE_BROKER_USEC (5 * G_USEC_PER_SEC)

typedef struct {
  guint n_runs;
  Process process;
  int control_fd;
  char *prefix;
  DebugPage *page;
  gboolean is_lost; /* it has ended by itself */
} Broker;

static Broker broker = { .control_fd = -1, .process.pidfd = -1 };
static pthread_mutex_t broker_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- what is wanted ---------------------------------------------------------------------------- */

/* Beside kinds: where errors are made is to be noted. */
#define NOTES_ORIGINS (1U << 31)

static const struct {
  const char *name;
  guint32 kinds;
} modes[] = {
  { "0", 0 },
  { "1", DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_PAUSE) | DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_CRASH) |
             DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_ERROR) },
  { "all", DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_PAUSE) | DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_CRASH) |
               DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_ERROR) },
  { "pause", DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_PAUSE) },
  { "crash", DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_CRASH) },
  { "error", DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_ERROR) },
  { "origins", NOTES_ORIGINS },
};

typedef struct {
  guint32 kinds;
  const char *command; /* (nullable): that opens a terminal */
} Wanted;

/* Of an item "terminal=COMMAND", which is the last one, for the command may have commas in it, too. */
static const char *
find_command (const char *text)
{
  const char *item =
      g_str_has_prefix (text, TERMINAL_ITEM) ? text : strstr (text, "," TERMINAL_ITEM);

  return item != NULL ? strchr (item, '=') + 1 : NULL;
}

/* Returns: FALSE with MISUSE */
static gboolean
read_wanted (const char *text, Wanted *ret_wanted, GError **error)
{
  const char *command = find_command (text);
  gsize length =
      command != NULL ? (gsize) (command - text) - strlen (TERMINAL_ITEM) : strlen (text);
  g_autofree char *before = g_strndup (text, length);
  g_auto (GStrv) names = g_strsplit (before, ",", -1);

  *ret_wanted =
      (Wanted){ .command = command, .kinds = length == 0 && command != NULL ? modes[1].kinds : 0 };
  for (char **name = names; *name != NULL; name++) {
    guint i = 0;

    g_strstrip (*name);
    if (**name == '\0')
      continue;
    while (i < G_N_ELEMENTS (modes) && strcmp (modes[i].name, *name) != 0)
      i++;
    if (i == G_N_ELEMENTS (modes)) {
      g_set_error (
          error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
          "The environment variable " MODE_VARIABLE
          " is 0, 1, or some of pause, crash and error, and origins, with commas between them, and "
          "perhaps " TERMINAL_ITEM "COMMAND behind them: not \"%s\"",
          text);
      return FALSE;
    }
    ret_wanted->kinds |= modes[i].kinds;
  }
  return TRUE;
}

static gboolean
find_wanted (TractorDebugMode mode, Wanted *ret_wanted, GError **error)
{
  const char *text = secure_getenv (MODE_VARIABLE);

  *ret_wanted = (Wanted){ 0 };
  if (mode == TRACTOR_DEBUG_MODE_OFF)
    return TRUE;
  if (text != NULL && !read_wanted (text, ret_wanted, error))
    return FALSE;
  if ((ret_wanted->kinds & NOTES_ORIGINS) != 0)
    tractor__raise_site_note_in_children ();
  if (ret_wanted->kinds == NOTES_ORIGINS ||
      (mode == TRACTOR_DEBUG_MODE_ON && ret_wanted->kinds == 0))
    ret_wanted->kinds = modes[1].kinds;
  ret_wanted->kinds &= ~NOTES_ORIGINS;
  return TRUE;
}

/* Whether SIGUSR1 is to have all tasks shown, which it has in debug mode in any case. Returns: FALSE with MISUSE */
static gboolean
find_dump (gboolean *ret_is_wanted, GError **error)
{
  const char *text = secure_getenv (DUMP_VARIABLE);

  /* "all" is for the command, which writes the dump and has our environment: with the library's own tasks. */
  *ret_is_wanted = g_strcmp0 (text, "1") == 0 || g_strcmp0 (text, "all") == 0;
  if (*ret_is_wanted || text == NULL || *text == '\0' || strcmp (text, "0") == 0)
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
               "The environment variable " DUMP_VARIABLE " is 0, 1 or all, not \"%s\"", text);
  return FALSE;
}

/* Returns: FALSE if that takes too long. */
static gboolean
wait_readable (int fd)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };
  gint64 give_up_at = g_get_monotonic_time () + PATIENCE_BROKER_USEC;
  int n;

  do
    n = poll (&pollfd, 1, (int) (MAX (give_up_at - g_get_monotonic_time (), 0) / 1000));
  while (n < 0 && errno == EINTR);
  return n == 1;
}

/* --- starting it ------------------------------------------------------------------------------- */

static gboolean
set_page_error (GError **error, const char *path)
{
  int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved),
               "Debug mode: cannot make %s: %s", path, g_strerror (saved));
  return FALSE;
}

static gboolean
make_page (guint32 kinds, GError **error)
{
  g_autofree char *path = g_strconcat (broker.prefix, DEBUG_PAGE_SUFFIX, NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  void *at;

  if (fd < 0)
    return set_page_error (error, path);
  /* A file system that is full says so now, and not by a signal when the page is written to. */
  errno = posix_fallocate (fd, 0, sizeof (DebugPage));
  at = errno == 0 ? mmap (NULL, sizeof (DebugPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                  : MAP_FAILED;
  if (at == MAP_FAILED) {
    set_page_error (error, path);
    unlink (path);
    close (fd);
    return FALSE;
  }
  close (fd);
  broker.page = at;
  broker.page->version = DEBUG_VERSION;
  broker.page->kinds = kinds;
  return TRUE;
}

/* It blocks the thread, as the start of any process does: for some milliseconds. Returns: FALSE with ACTOR_FAILURE if it
 * ends instead, having said on stderr why. */
static gboolean
wait_until_it_serves (GError **error)
{
  DebugMsg message;

  if (wait_readable (broker.control_fd) &&
      recv (broker.control_fd, &message, sizeof message, MSG_DONTWAIT) ==
          (ssize_t) sizeof message &&
      message.version == DEBUG_VERSION && message.type == DEBUG_MSG_SERVING)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE,
                       "Debug mode: the debugger's broker does not serve");
  return FALSE;
}

/* @id: of this actor. @python_root: (nullable): who gives the turns. */
static gboolean
start_process (const ActorId *id, const Address *python_root, const char *command, GError **error)
{
  const char *program = secure_getenv (PROGRAM_VARIABLE);
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());
  g_autofree char *root = python_root != NULL ? tractor__address_to_string (python_root) : NULL;
  const char *argv[] = { broker.prefix, pid, command != NULL ? command : "", root, id->name,
                         id->uuid,      NULL };
  int ends[2];
  ProcessRequest request = {
    .program = program != NULL ? program : TRACTOR_DEBUGGER_PATH,
    .argv = argv,
    .stdio = { -1, STDERR_FILENO, STDERR_FILENO },
    .link_fd = -1,
    .n_fds = 1,
  };
  gboolean ok;

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return set_page_error (error, "a socket");
  request.fds = &(TractorFdMapping){ ends[1], DEBUG_CONTROL_FD };
  ok = tractor__spawn_by_exec.start (&tractor__spawn_by_exec, &request, &broker.process, error);
  close (ends[1]);
  if (!ok) {
    g_prefix_error (error, "Debug mode (" MODE_VARIABLE ", " DUMP_VARIABLE "): ");
    close (ends[0]);
    return FALSE;
  }
  broker.control_fd = ends[0];
  return wait_until_it_serves (error);
}

/* Waits for its end, which it has been told of. */
static void
clear (void)
{
  static const char *const suffixes[] = { DEBUG_SOCKET_SUFFIX, DEBUG_PAGE_SUFFIX };

  tractor__dump_signal_give_back ();
  tractor__debug_leave ();
  if (broker.control_fd >= 0)
    close (broker.control_fd);
  broker.control_fd = -1;
  if (broker.process.pidfd >= 0) {
    wait_readable (broker.process.pidfd);
    tractor__process_discard (&broker.process); /* which has usually ended */
  }
  tractor__process_clear (&broker.process);
  if (broker.page != NULL) {
    tractor__lent_terminal_end_debugger (broker.page); /* if it was killed just before */
    tractor__lent_terminal_take_back (&broker.page->loan);
    munmap (broker.page, sizeof (DebugPage));
  }
  broker.page = NULL;
  broker.is_lost = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++) {
    g_autofree char *path = g_strconcat (broker.prefix, suffixes[i], NULL);

    unlink (path);
  }
  g_clear_pointer (&broker.prefix, g_free);
}

static gboolean
start (const ActorId *id, const Address *python_root, const Wanted *wanted, GError **error)
{
  g_auto (RuntimeDir) dir = { NULL, -1 };

  if (!tractor__runtime_dir_open (&dir, error))
    return FALSE;
  broker.prefix = g_strdup_printf ("%s/debug-%s", dir.path, id->uuid);
  if (make_page (wanted->kinds, error) && start_process (id, python_root, wanted->command, error) &&
      tractor__debug_join (broker.prefix, id, error)) {
    tractor__dump_signal_take ();
    return TRUE;
  }
  clear ();
  return FALSE;
}

/* --- while it runs ----------------------------------------------------------------------------- */

/* It has ended by itself, which it does not do: nobody is held any more, and nobody asks. */
static void
give_up (void)
{
  if (broker.is_lost)
    return; /* another runtime has seen it */
  broker.is_lost = TRUE;
  __atomic_store_n (&broker.page->is_off, 1, __ATOMIC_RELAXED);
  __atomic_store_n (&broker.page->is_held, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&broker.page->sequence, 0, __ATOMIC_RELEASE);
  tractor__lent_terminal_end_debugger (broker.page);
  if (!broker.page->loan.is_python) /* that is still at its prompt */
    tractor__lent_terminal_take_back (&broker.page->loan);
  log_warning (LOG_SUPERVISE, "The debugger's broker (pid %d) has ended: debug mode is off",
               (int) broker.process.pid);
}

/* The tree is to end, or this actor of Python's with an error. */
static void
abandon (TractorRuntime *runtime)
{
  g_autoptr (GError) failure = NULL;

  if (runtime->stop == NULL) {
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (runtime->nursery),
                                 "abandoned in the debugger");
    return;
  }
  failure =
      g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_DEBUG_QUIT, "Abandoned in the debugger");
  if (!tractor_event_is_set (runtime->stop))
    runtime->failure = g_steal_pointer (&failure);
  tractor_event_set (runtime->stop);
}

/* In the runtime's background. */
static gboolean
watch (gpointer data, G_GNUC_UNUSED GError **error)
{
  TractorRuntime *runtime = data;
  DebugMsg message;

  while (tractor_wait_fd (broker.control_fd, G_IO_IN, NULL, NULL)) {
    gssize n = recv (broker.control_fd, &message, sizeof message, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n != (gssize) sizeof message) {
      give_up ();
      break;
    }
    if (message.type == DEBUG_MSG_ABANDON)
      abandon (runtime);
  }
  return TRUE;
}

/* --- with the runs that have it ---------------------------------------------------------------- */

static void
on_run_ended (const GError *failure)
{
  tractor__debug_stop_for_error (failure);
  tractor__broker_end ();
}

static gboolean
has_joined_this_run (void)
{
  static const char key;

  if (tractor_run_local_get (&key) != NULL)
    return TRUE;
  tractor_run_local_set (&key, &broker);
  return FALSE;
}

gboolean
tractor__broker_provide (TractorRuntime *runtime, TractorDebugMode mode, GError **error)
{
  Wanted wanted;
  gboolean has_dumps;
  gboolean ok = TRUE;

  if (!find_wanted (mode, &wanted, error) || !find_dump (&has_dumps, error))
    return FALSE;
  if ((wanted.kinds == 0 && !has_dumps) || getauxval (AT_SECURE) != 0)
    return TRUE;

  pthread_mutex_lock (&broker_lock);
  if (broker.prefix == NULL) {
    ok = start (&runtime->id, NULL, &wanted, error);
    if (ok && wanted.kinds != 0)
      tractor__crash_report_in_root ();
  }
  if (ok && !has_joined_this_run ()) {
    broker.n_runs++;
    tractor_run_set_ended_func (on_run_ended);
  }
  pthread_mutex_unlock (&broker_lock);
  if (ok)
    tractor__python_lock_serve (runtime);
  return ok && tractor__broker_watch (runtime, error);
}

gboolean
tractor__broker_provide_below_python (const ActorId *id, const Address *root, GError **error)
{
  Wanted wanted;
  gboolean ok;

  if (!find_wanted (TRACTOR_DEBUG_MODE_ON, &wanted, error))
    return FALSE;
  if (getauxval (AT_SECURE) != 0)
    return TRUE;
  pthread_mutex_lock (&broker_lock);
  ok = start (id, root, &wanted, error);
  if (ok)
    broker.n_runs++;
  pthread_mutex_unlock (&broker_lock);
  return ok;
}

gboolean
tractor__broker_watch (TractorRuntime *runtime, GError **error)
{
  return broker.prefix == NULL ||
         tractor_nursery_spawn (runtime->services, "debugger", watch, runtime, NULL, error);
}

void
tractor__broker_end (void)
{
  pthread_mutex_lock (&broker_lock);
  if (broker.n_runs > 0 && --broker.n_runs == 0)
    clear ();
  pthread_mutex_unlock (&broker_lock);
}
