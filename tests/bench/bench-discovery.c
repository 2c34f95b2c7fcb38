/* bench-discovery.c - what it costs to find an actor, and to talk to one that is not one's child. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tractor.h"

/* --- a call over a connection of its own ------------------------------------------------------------- */

#define N_CALLS bench_n (5000)

typedef struct {
  gboolean over_tcp;
} Transport;

static const Transport unix_transport = { FALSE };
static const Transport tcp_transport = { TRUE };

typedef struct {
  const Transport *transport;
  double nsec;
} Timing;

static gboolean
call_many (TractorPortal *portal, double *ret_nsec, GError **error)
{
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_CALLS; i++)
    if (!tractor_portal_call (portal, "bench:echo", NULL, NULL, error))
      return FALSE;
  *ret_nsec = (double) (bench_now_nsec () - started) / N_CALLS;
  return TRUE;
}

static TractorRuntime *
open_runtime (const Transport *transport, GError **error)
{
  static const char *const tcp[] = { "tcp://127.0.0.1:0", NULL };

  return tractor_runtime_open (
      &(TractorRuntimeOptions){ .listen_addresses = transport->over_tcp ? tcp : NULL }, error);
}

static gboolean
time_calls_to_found (gpointer data, GError **error)
{
  Timing *timing = data;
  g_autoptr (TractorRuntime) runtime = open_runtime (timing->transport, error);
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) child = tractor_actor_nursery_start (actors, "echo", NULL, error);
  g_autoptr (TractorPortal) found = child != NULL ? tractor_find_actor ("echo", error) : NULL;

  if (found != NULL && call_many (found, &timing->nsec, error))
    tractor_actor_nursery_cancel (actors);
  g_clear_pointer (&found, tractor_portal_unref);
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_calls_to_found (gconstpointer data)
{
  Timing timing = { .transport = data };

  bench_run ("builtin", time_calls_to_found, &timing);
  return timing.nsec;
}

/* A listening socket, and where it is. */
static int
listen_bare (const Transport *transport, struct sockaddr_storage *name, socklen_t *length)
{
  int fd = socket (transport->over_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (transport->over_tcp) {
    *(struct sockaddr_in *) name =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    *length = sizeof (struct sockaddr_in);
  } else {
    struct sockaddr_un *un = (struct sockaddr_un *) name;

    *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
    g_snprintf (un->sun_path, sizeof un->sun_path, "/tmp/tractor-bench-%d", (int) getpid ());
    *length = sizeof *un;
  }
  g_assert (bind (fd, (struct sockaddr *) name, *length) == 0 && listen (fd, 1) == 0);
  g_assert (getsockname (fd, (struct sockaddr *) name, length) == 0);
  return fd;
}

static void
exchange (int fd, gsize n_out, gsize n_in)
{
  char bytes[256] = "";
  gsize got = 0;

  if (n_out > 0)
    g_assert (send (fd, bytes, n_out, MSG_NOSIGNAL) == (gssize) n_out);
  while (got < n_in) {
    gssize n = recv (fd, bytes, n_in - got, 0);

    if (n <= 0)
      _exit (0); /* the other end has enough */
    got += (gsize) n;
  }
}

static double
measure_bare (gconstpointer data)
{
  const Transport *transport = data;
  struct sockaddr_storage name;
  socklen_t length;
  int listener = listen_bare (transport, &name, &length);
  int on = 1;
  int fd;
  gint64 started;

  if (fork () == 0) {
    int peer = accept (listener, NULL, NULL);

    setsockopt (peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (;;) {
      exchange (peer, 0, 128);
      exchange (peer, 76, 0);
    }
  }
  fd = socket (name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert (connect (fd, (struct sockaddr *) &name, length) == 0);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  started = bench_now_nsec ();
  for (guint i = 0; i < N_CALLS; i++)
    exchange (fd, 128, 76);
  started = bench_now_nsec () - started;
  close (fd);
  close (listener);
  if (name.ss_family == AF_UNIX)
    unlink (((struct sockaddr_un *) &name)->sun_path);
  g_assert (wait (NULL) > 0);
  return (double) started / N_CALLS;
}

/* --- registered and found ---------------------------------------------------------------------------- */

#define N_ACTORS 100

static gboolean
find_all (GError **error)
{
  for (guint i = 0; i < N_ACTORS; i++) {
    g_autofree char *name = g_strdup_printf ("actor-%u", i);
    g_autoptr (TractorPortal) portal = tractor_find_actor (name, error);

    if (portal == NULL)
      return FALSE;
  }
  return TRUE;
}

/* Each find is a look into the registry, a connection and two introductions. */
static gboolean
time_finding (gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  gint64 started;

  for (guint i = 0; i < N_ACTORS; i++) {
    g_autofree char *name = g_strdup_printf ("actor-%u", i);
    g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, name, NULL, error);

    if (portal == NULL)
      return tractor_actor_nursery_join (actors, error);
  }
  started = bench_now_nsec ();
  if (find_all (error)) {
    *(double *) data = (double) (bench_now_nsec () - started) / N_ACTORS;
    tractor_actor_nursery_cancel (actors);
  }
  return tractor_actor_nursery_join (actors, error);
}

static double
measure_finding (G_GNUC_UNUSED gconstpointer data)
{
  double nsec = -1;

  bench_run ("builtin", time_finding, &nsec);
  return nsec;
}

/* Connecting to one process after another, each of which has slept until then, and an exchange of the
 * size of two introductions. */
static double
measure_connect_bare (G_GNUC_UNUSED gconstpointer data)
{
  struct sockaddr_un names[N_ACTORS];
  gint64 started;

  for (guint i = 0; i < N_ACTORS; i++) {
    struct sockaddr_storage name;
    socklen_t length;
    int listener = listen_bare (&unix_transport, &name, &length);

    memcpy (&names[i], &name, sizeof names[i]);
    g_snprintf (names[i].sun_path, sizeof names[i].sun_path, "/tmp/tractor-bench-%d-%u",
                (int) getpid (), i);
    g_assert (rename (((struct sockaddr_un *) &name)->sun_path, names[i].sun_path) == 0);
    if (fork () == 0) {
      int peer = accept (listener, NULL, NULL);

      exchange (peer, 0, 140);
      exchange (peer, 140, 0);
      _exit (0);
    }
    close (listener);
  }
  started = bench_now_nsec ();
  for (guint i = 0; i < N_ACTORS; i++) {
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert (connect (fd, (struct sockaddr *) &names[i], sizeof names[i]) == 0);
    exchange (fd, 140, 140);
    close (fd);
  }
  started = bench_now_nsec () - started;
  for (guint i = 0; i < N_ACTORS; i++) {
    unlink (names[i].sun_path);
    g_assert (wait (NULL) > 0);
  }
  return (double) started / N_ACTORS;
}

const BenchRow bench_discovery_rows[] = {
  { "call over a Unix socket, builtin", BENCH_USEC, "bare Unix socket", 1.25, TRUE, 5,
    measure_calls_to_found, measure_bare, &unix_transport },
  { "call over TCP, builtin", BENCH_USEC, "bare TCP", 1.25, TRUE, 5, measure_calls_to_found,
    measure_bare, &tcp_transport },
  { "find and connect, of 100 actors", BENCH_USEC, "bare, 100 processes", 2, TRUE, 3,
    measure_finding, measure_connect_bare, NULL },
  { NULL },
};
