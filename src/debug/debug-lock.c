/* debug-lock.c - an actor stops for the debugger: it asks for its turn, and waits.
 *
 * There is one terminal and one debugger for a whole tree, and a lock in front of it, which a small process keeps, the
 * broker (tools/debugger). What is said to it is in debug-protocol.h. Here is the actor's side, which has to work in a
 * handler of a signal by which the process will end: it makes system calls and writes to tractor_debug_1, and nothing
 * else. So it knows beforehand where to ask.
 *
 * A process stops one thread at a time: tractor_debug_1 has room for one. A thread that comes second waits in the
 * broker's line like anybody else; and when it is its turn, until the first, which has been told to go on, has taken what
 * was decided for it.
 *
 * Who does not hear in time that it was its turn, because its loop was busy, has missed it, and asks again.
 *
 * A root asks for others too, which have a debugger of their own, and hears from them when they are through. If its
 * thread then blocks for a turn of its own it would not hear that; so it looks whether anything comes from them, for an
 * actor that is at its prompt says nothing.
 *
 * A copy of the process (fork) shares the original's name, and no more: it does not ask, for its end of the
 * conversation would be heard as the original's. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "debug-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "bounds.h"
#include "debug-protocol.h"
#include "patience.h"
#include "raise-site.h"
#include "stdio-fd.h"
#include "tractor-error.h"
#include "tractor-sync.h"

/* How often a stopped thread looks whether the debugger lets it go on and stays. */
#define LOOK_MSEC 20
/* How long the broker may take to answer. */
#define ANSWER_MSEC 1000

static char *prefix; /* (nullable): debug mode is off */
static struct sockaddr_un broker_address = { .sun_family = AF_UNIX };
static char actor_name[sizeof ((DebugMsg *) 0)->actor];
static char actor_text[2 * LIMIT_NAME_BYTES + 2]; /* with its uuid */
static pid_t own_pid;

/* (nullable): once there is one there is memory at its place for ever, with the page of the broker that was joined last: other
 * threads read it at any time. */
static DebugPage *page;
static gboolean is_joined;

/* While a debugger lets us run: that it is open says that we have the lock. Or -1. */
static int kept_fd = -1;

/* A socket for the time when no descriptor is left: what has leaked them is what somebody wants to look at. Or -1. */
static int spare_fd = -1;

/* The turn that somebody else has through us. */
static struct {
  int fd; /* -1: nobody has one */
  int news_fd;
  pid_t tid; /* of the thread that hears the news */
} lent = { -1, -1, 0 };

static void hit_trap (void);

/* --- being part of it -------------------------------------------------------------------------- */

static gboolean
set_errno_error (GError **error, const char *what, const char *path)
{
  int saved = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved), "Debug mode: cannot %s %s: %s",
               what, path, g_strerror (saved));
  return FALSE;
}

static gboolean
map_page (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  void *at;

  if (fd < 0)
    return set_errno_error (error, "open", path);
  at = mmap (page, sizeof (DebugPage), PROT_READ, MAP_SHARED | (page != NULL ? MAP_FIXED : 0), fd,
             0);
  close (fd);
  if (at == MAP_FAILED)
    return set_errno_error (error, "map", path);
  if (page == NULL) /* it is read by others meanwhile, and never another one */
    page = at;
  return TRUE;
}

static int
make_socket (void)
{
  return socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

/* Another thread may make one at the same time. */
static void
make_spare (void)
{
  int fd = __atomic_load_n (&spare_fd, __ATOMIC_RELAXED) < 0 ? make_socket () : -1;
  int none = -1;

  if (keep_off_stdio (&fd) != 0 ||
      !__atomic_compare_exchange_n (&spare_fd, &none, fd, FALSE, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED))
    close_fd (&fd);
}

static int
take_spare (void)
{
  return __atomic_exchange_n (&spare_fd, -1, __ATOMIC_ACQUIRE);
}

gboolean
tractor__debug_join (const char *of, const ActorId *actor, GError **error)
{
  g_autofree char *socket_path = g_strconcat (of, DEBUG_SOCKET_SUFFIX, NULL);
  g_autofree char *page_path = g_strconcat (of, DEBUG_PAGE_SUFFIX, NULL);
  g_autofree char *text = actor_id_to_string (actor);

  if (strlen (socket_path) >= sizeof broker_address.sun_path) {
    errno = ENAMETOOLONG;
    return set_errno_error (error, "use", socket_path);
  }
  tractor__debug_leave ();
  if (!map_page (page_path, error))
    return FALSE;
  memcpy (broker_address.sun_path, socket_path, strlen (socket_path) + 1);
  g_strlcpy (actor_name, actor->name, sizeof actor_name);
  g_strlcpy (actor_text, text, sizeof actor_text);
  if (own_pid != getpid ())
    own_pid = getpid ();
  tractor_debug_1.trap = (gpointer) hit_trap;
  /* The broker, and what it starts, may trace us; where the kernel asks for that. */
  prctl (PR_SET_PTRACER, (unsigned long) page->broker, 0, 0, 0);
  prefix = g_strdup (of);
  make_spare ();
  tractor__patience_go_by (page);
  __atomic_store_n (&is_joined, TRUE, __ATOMIC_RELEASE);
  return TRUE;
}

const char *
tractor__debug_get_prefix (void)
{
  return prefix;
}

void
tractor__debug_leave (void)
{
  __atomic_store_n (&is_joined, FALSE, __ATOMIC_RELAXED);
  tractor__patience_go_by (NULL);
  close_fd (&(int){ take_spare () });
  g_clear_pointer (&prefix, g_free);
}

/* The broker serves this process. */
static gboolean
has_broker (void)
{
  return G_UNLIKELY (__atomic_load_n (&is_joined, __ATOMIC_ACQUIRE)) &&
         !__atomic_load_n (&page->is_off, __ATOMIC_RELAXED) && getpid () == own_pid;
}

gboolean
tractor__debug_is_on (void)
{
  return has_broker () && page->kinds != 0;
}

gboolean
tractor__debug_is_on_in_python (void)
{
  return tractor__debug_is_on () &&
         (page->kinds & (DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_PAUSE) |
                         DEBUG_KIND_BIT (TRACTOR_DEBUG_STOP_ERROR))) != 0;
}

/* --- asking ------------------------------------------------------------------------------------ */

static gboolean
send_message (int fd, DebugMsg message)
{
  message.version = DEBUG_VERSION;
  return send (fd, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t) sizeof message;
}

static void
copy_text (char *to, const char *from, size_t bytes)
{
  size_t i = 0;

  for (; from != NULL && i + 1 < bytes && from[i] != '\0'; i++)
    to[i] = from[i];
  to[i] = '\0';
}

/* Returns: (transfer full): the connection, or -1. */
static int
send_ask (DebugMsg ask, const char *actor, const char *task)
{
  int fd = make_socket ();

  if (fd < 0)
    fd = take_spare ();
  if (fd < 0)
    return -1;
  ask.type = DEBUG_MSG_ASK;
  copy_text (ask.actor, actor, sizeof ask.actor);
  copy_text (ask.task, task, sizeof ask.task);
  if (connect (fd, (struct sockaddr *) &broker_address, sizeof broker_address) == 0 &&
      send_message (fd, ask))
    return fd;
  close (fd);
  return -1;
}

int
tractor__debug_ask (TractorDebugStopKind kind, guint64 failure)
{
  DebugMsg ask = { .kind = (uint8_t) kind, .failure = failure };

  if (!tractor__debug_is_on () || (page->kinds & DEBUG_KIND_BIT (kind)) == 0)
    return -1;
  ask.tid = (int32_t) syscall (SYS_gettid);
  ask.task_id = tractor_task_get_id ();
  return send_ask (ask, actor_name, tractor_task_get_name ());
}

/* Whoever says something in passing is not to wait for a broker that does not run. Returns: -1 if it cannot be said. */
static int
tell_in_passing (DebugMsg message)
{
  int fd = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return -1;
  if (connect (fd, (struct sockaddr *) &broker_address, sizeof broker_address) == 0 &&
      send_message (fd, message))
    return fd;
  close (fd);
  return -1;
}

gboolean
tractor__debug_ask_for_dump (void)
{
  int fd = has_broker () ? tell_in_passing ((DebugMsg){ .type = DEBUG_MSG_DUMP }) : -1;

  if (fd >= 0)
    close (fd);
  return fd >= 0;
}

/* --- stopping ---------------------------------------------------------------------------------- */

static void
close_kept (void)
{
  if (kept_fd >= 0)
    close (kept_fd);
  kept_fd = -1;
}

/* This thread. */
static gboolean
is_traced (void)
{
  static const char key[] = "TracerPid:\t";
  char text[2048];
  int fd = open ("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read (fd, text, sizeof text - 1) : 0;
  const char *found;

  if (fd >= 0)
    close (fd);
  text[MAX (n, 0)] = '\0';
  found = strstr (text, key);
  return found != NULL && found[sizeof key - 1] != '0';
}

/* One that has let us go may not have ended yet, and then the broker keeps our end of the line open. */
gboolean
tractor__debug_has_lock (void)
{
  char byte;

  return kept_fd >= 0 && recv (kept_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN &&
         is_traced ();
}

static void
describe_stop (const TractorDebugStop *stop)
{
  tractor_debug_1.stop = *stop;
  tractor_debug_1.stop.tid = (gint32) syscall (SYS_gettid);
  tractor_debug_1.stop.task_id = tractor_task_get_id ();
}

static TractorDebugVerdict
take_verdict (void)
{
  TractorDebugVerdict verdict = (TractorDebugVerdict) tractor_debug_1.stop.verdict;

  tractor_debug_1.stop = (TractorDebugStop){ 0 };
  tractor_debug_1.origins = NULL;
  return verdict;
}

/* A debugger that lets us run has a breakpoint here. */
static G_NO_INLINE void
hit_trap (void)
{
  __asm__ volatile("" ::: "memory");
}

TractorDebugVerdict
tractor__debug_trap (const TractorDebugStop *stop)
{
  describe_stop (stop);
  hit_trap ();
  return take_verdict ();
}

/* Returns: the type of the next message, or -1 if there will be none. */
static int
receive (int fd, int flags, DebugMsg *message)
{
  ssize_t n;

  do
    n = recv (fd, message, sizeof *message, flags);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return DEBUG_MSG_ASK; /* none of the broker's */
  return n == (ssize_t) sizeof *message && message->version == DEBUG_VERSION ? message->type : -1;
}

/* Returns: whether it is still to wait. */
static gboolean
obey (int fd)
{
  DebugMsg message;
  int type = receive (fd, MSG_DONTWAIT, &message);

  if (type == DEBUG_MSG_GO) /* a debugger on another terminal is none of the broker's children */
    prctl (PR_SET_PTRACER, message.tid, 0, 0, 0);
  return type == DEBUG_MSG_GO || type == DEBUG_MSG_ASK;
}

/* Blocks until it is our turn. Returns: the type of the next message, or -1. */
static int
receive_turn (int fd, DebugMsg *message)
{
  struct pollfd pollfds[] = { { .fd = fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

  if (lent.fd >= 0 && lent.tid == (pid_t) syscall (SYS_gettid))
    pollfds[1].fd = lent.news_fd;
  while (pollfds[1].fd >= 0 && pollfds[0].revents == 0) {
    if (poll (pollfds, 2, -1) < 0 && errno != EINTR)
      break;
    if (pollfds[1].revents != 0) { /* whoever has the turn is through, or gone */
      shutdown (lent.fd, SHUT_RDWR);
      pollfds[1].fd = -1;
    }
  }
  return receive (fd, 0, message);
}

/* Returns: whether the debugger lets us run and stays. */
static gboolean
wait_for_debugger (int fd)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };

  while (!__atomic_load_n (&tractor_debug_1.stop.go, __ATOMIC_ACQUIRE))
    if (poll (&pollfd, 1, LOOK_MSEC) > 0 && !obey (fd))
      return FALSE;
  return TRUE;
}

/* Of this process. Whoever is in it does no more than read what was decided. */
static gboolean is_stopping;

static void
begin_stopping (void)
{
  for (int i = 0; __atomic_exchange_n (&is_stopping, TRUE, __ATOMIC_ACQUIRE) && i < ANSWER_MSEC;
       i++)
    poll (NULL, 0, 1); /* in a handler of a signal there is nothing better to wait by */
}

static void
end_stopping (void)
{
  __atomic_store_n (&is_stopping, FALSE, __ATOMIC_RELEASE);
}

/* It is our turn. @context: (nullable): of a crash. @origins: (nullable): of an error. Returns: FALSE if it was, and has
 * passed by. */
static gboolean
use_turn (int fd, const TractorDebugStop *stop, const void *context, const char *origins)
{
  close_kept ();                                                 /* no debugger has us */
  prctl (PR_SET_PTRACER, (unsigned long) page->broker, 0, 0, 0); /* and not who had us last */
  describe_stop (stop);
  tractor_debug_1.crash_context = context;
  tractor_debug_1.origins = origins;
  if (!send_message (fd, (DebugMsg){ .type = DEBUG_MSG_READY }))
    return FALSE;
  if (wait_for_debugger (fd))
    kept_fd = fd;
  return TRUE;
}

/* Threads in stop_at(). */
static gint n_stopped;
static void (*after_stop) (void); /* (nullable) */

gboolean
tractor__debug_is_stopped (void)
{
  return __atomic_load_n (&n_stopped, __ATOMIC_SEQ_CST) > 0;
}

void
tractor__debug_set_after_stop (void (*func) (void))
{
  __atomic_store_n (&after_stop, func, __ATOMIC_RELEASE);
}

static void
note_end_of_stop (void)
{
  void (*func) (void) = __atomic_load_n (&after_stop, __ATOMIC_ACQUIRE);

  __atomic_fetch_sub (&n_stopped, 1, __ATOMIC_SEQ_CST);
  if (func != NULL)
    func ();
}

static gboolean
stop_in_turn (int fd,
              const TractorDebugStop *stop,
              const void *context,
              const char *origins,
              TractorDebugVerdict *ret_verdict)
{
  DebugMsg message;
  gboolean was_used;

  *ret_verdict = TRACTOR_DEBUG_CONTINUE;
  if (receive_turn (fd, &message) != DEBUG_MSG_GO) {
    close (fd);
    return TRUE;
  }
  begin_stopping ();
  was_used = use_turn (fd, stop, context, origins);
  *ret_verdict = take_verdict ();
  if (kept_fd != fd)
    close (fd);
  make_spare ();
  end_stopping ();
  return was_used || !has_broker ();
}

/* As tractor__debug_stop(). */
static gboolean
stop_at (int fd,
         const TractorDebugStop *stop,
         const void *context,
         const char *origins,
         TractorDebugVerdict *ret_verdict)
{
  gboolean was_used;

  __atomic_fetch_add (&n_stopped, 1, __ATOMIC_SEQ_CST);
  was_used = stop_in_turn (fd, stop, context, origins, ret_verdict);
  note_end_of_stop ();
  return was_used;
}

gboolean
tractor__debug_stop (int fd, const TractorDebugStop *stop, TractorDebugVerdict *ret_verdict)
{
  return stop_at (fd, stop, NULL, NULL, ret_verdict);
}

/* --- for others -------------------------------------------------------------------------------- */

int
tractor__debug_ask_for (const char *actor, const char *task, pid_t process)
{
  if (!tractor__debug_is_on ())
    return -1;
  return send_ask ((DebugMsg){ .kind = DEBUG_KIND_FOREIGN, .tid = process }, actor, task);
}

DebugTurn
tractor__debug_take_turn_for (int fd, int news_fd)
{
  DebugMsg message;

  if (receive (fd, MSG_DONTWAIT, &message) != DEBUG_MSG_GO)
    return TURN_REFUSED;
  if (!send_message (fd, (DebugMsg){ .type = DEBUG_MSG_READY }))
    return TURN_MISSED;
  lent.news_fd = news_fd;
  lent.tid = (pid_t) syscall (SYS_gettid);
  lent.fd = fd;
  return TURN_TAKEN;
}

void
tractor__debug_end_turn_for (int fd)
{
  if (lent.fd == fd)
    lent.fd = -1;
  close (fd);
}

/* --- why --------------------------------------------------------------------------------------- */

void
tractor__debug_stop_for_crash (int number, const siginfo_t *info, const void *context)
{
  const TractorDebugStop stop = { .kind = TRACTOR_DEBUG_STOP_CRASH,
                                  .signal_number = number,
                                  .signal_code = info->si_code,
                                  .address = (gsize) info->si_addr };
  TractorDebugVerdict verdict;
  int fd;

  if (tractor__debug_has_lock ())
    return; /* a debugger that lets us run has seen the signal itself */
  do
    fd = tractor__debug_ask (TRACTOR_DEBUG_STOP_CRASH, (guint64) own_pid);
  while (fd >= 0 && !stop_at (fd, &stop, context, NULL, &verdict));
}

/* FNV-1a */
static guint64
hash (const char *text)
{
  guint64 number = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (const char *at = text; *at != '\0'; at++)
    number = (number ^ (guint8) *at) * G_GUINT64_CONSTANT (0x100000001b3);
  return number;
}

/* The first actor that fails, and the kind of failure, are the same on all its way up: a number for that. */
static guint64
name_failure (const GError *failure)
{
  const TractorRemoteError *remote = tractor_error_get_remote (failure);
  g_autofree char *text =
      remote != NULL ? g_strdup_printf ("%s %s %d", remote->origin,
                                        remote->domain != NULL ? remote->domain : "", remote->code)
                     : g_strdup_printf ("%s %s %d", actor_text, g_quark_to_string (failure->domain),
                                        failure->code);

  return hash (text);
}

static gboolean
is_in_page (guint64 number)
{
  for (guint32 i = 0; i < MIN (page->n_quit, DEBUG_N_QUIT); i++)
    if (page->quit[i] == number)
      return TRUE;
  return FALSE;
}

/* Deaths of children whose crash was quit, by what is told of them. */
static guint64 quit_deaths[DEBUG_N_QUIT];
static guint n_quit_deaths;

void
tractor__debug_note_death (const GError *death, pid_t pid)
{
  if (tractor__debug_is_on () && is_in_page ((guint64) pid))
    __atomic_store_n (
        &quit_deaths[__atomic_fetch_add (&n_quit_deaths, 1, __ATOMIC_RELAXED) % DEBUG_N_QUIT],
        hash (death->message), __ATOMIC_RELAXED);
}

static gboolean
is_quit_death (const GError *failure)
{
  guint64 number = hash (failure->message);

  for (guint i = 0; i < DEBUG_N_QUIT; i++)
    if (__atomic_load_n (&quit_deaths[i], __ATOMIC_RELAXED) == number)
      return TRUE;
  return FALSE;
}

/* One such death, or a group in which there is one. */
static gboolean
comes_of_quit_death (const GError *failure)
{
  const GPtrArray *members = tractor_error_get_children (failure);

  for (guint i = 0; members != NULL && i < members->len; i++)
    if (comes_of_quit_death (members->pdata[i]))
      return TRUE;
  return is_quit_death (failure);
}

/* Whoever looked at it further down has quit: it is not shown again. */
static gboolean
is_quit (const GError *failure)
{
  return is_in_page (name_failure (failure)) || is_quit_death (failure);
}

/* Those above know a death only as a failure of ours: they are to find that in the page, before they hear of it. */
static void
pass_on_quit (guint64 number)
{
  struct pollfd pollfd = { .events = POLLIN };

  if (is_in_page (number))
    return;
  pollfd.fd = tell_in_passing ((DebugMsg){ .type = DEBUG_MSG_QUIT, .failure = number });
  if (pollfd.fd < 0)
    return;
  poll (&pollfd, 1, ANSWER_MSEC);
  close (pollfd.fd);
}

/* What only says that somebody has been told to end is nobody's fault; a group is worth what its members are. */
static gboolean
is_worth_a_look (const GError *failure)
{
  static const TractorError of_nobody[] = { TRACTOR_ERROR_CANCELLED,
                                            TRACTOR_ERROR_CONTEXT_CANCELLED,
                                            TRACTOR_ERROR_DEBUG_QUIT };
  const GPtrArray *members = tractor_error_get_children (failure);

  for (guint i = 0; members != NULL && i < members->len; i++)
    if (is_worth_a_look (members->pdata[i]))
      return TRUE;
  if (members != NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (of_nobody); i++)
    if (tractor_error_matches (failure, TRACTOR_ERROR, of_nobody[i]))
      return FALSE;
  return failure != NULL && !is_quit (failure);
}

/* Others go on until it is our turn; and a cancel, which may come of this same failure, does not hide it. */
static void
wait_shielded (int fd)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor_wait_fd (fd, G_IO_IN, NULL, NULL);
}

void
tractor__debug_stop_for_error (const GError *failure)
{
  const TractorDebugStop stop = { .kind = TRACTOR_DEBUG_STOP_ERROR,
                                  .text = failure != NULL ? failure->message : NULL };
  g_autofree char *origins = NULL;
  TractorDebugVerdict verdict;
  int fd;

  if (!tractor__debug_is_on ())
    return;
  if (!is_worth_a_look (failure)) {
    if (failure != NULL && comes_of_quit_death (failure))
      pass_on_quit (name_failure (failure));
    return;
  }
  origins = tractor__raise_site_list (failure);
  if (tractor__debug_has_lock ()) {
    tractor_debug_1.origins = origins;
    tractor__debug_trap (&stop);
    return;
  }
  do {
    fd = tractor__debug_ask (TRACTOR_DEBUG_STOP_ERROR, name_failure (failure));
    if (fd >= 0 && tractor_in_task ())
      wait_shielded (fd);
  } while (fd >= 0 && !stop_at (fd, &stop, NULL, origins, &verdict));
}
