/* actors.h - what tests with real actors share: their loops, and a child on the test's own loop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-builtin.h"
#include "tractor-glib.h"
#include "tractor-uv.h"
#include "tractor.h"

#define SECOND G_USEC_PER_SEC

static const TractorRunner runners[] = {
  { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { NULL }
};

/* The fork server is no actor, and lives as long as the runtime. */
static inline gboolean
is_fork_server (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/cmdline", pid);
  g_autofree char *line = NULL;
  gsize length = 0;

  return g_file_get_contents (path, &line, &length, NULL) && strlen (line) + 1 < length &&
         strcmp (line + strlen (line) + 1, "fork server") == 0;
}

/* Returns: of the one that this thread has started; 0: none. */
static inline int
find_fork_server (void)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) pids = NULL;

  if (!g_file_get_contents ("/proc/thread-self/children", &text, NULL, NULL))
    return 0;
  pids = g_strsplit (g_strstrip (text), " ", -1);
  for (char **pid = pids; *pid != NULL; pid++)
    if (is_fork_server (atoi (*pid)))
      return atoi (*pid);
  return 0;
}

static inline gboolean
is_only_child (int pid)
{
  g_autofree char *text = NULL;
  g_autofree char *only = g_strdup_printf ("%d", pid);

  return pid != 0 && g_file_get_contents ("/proc/thread-self/children", &text, NULL, NULL) &&
         strcmp (g_strstrip (text), only) == 0;
}

static inline void
assert_no_child_process (void)
{
  if (find_fork_server () != 0) {
    siginfo_t info = { 0 };

    g_assert_cmpint (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), ==, 0);
    g_assert_cmpint (info.si_pid, ==, 0);
    return;
  }
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

static inline guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* "name@uuid" of the actor that runs this. */
static inline char *
own_id (void)
{
  return g_strdup_printf ("%s@%s", tractor_actor_get_name (), tractor_actor_get_uuid ());
}

static inline char *
portal_id (TractorPortal *portal)
{
  return g_strdup_printf ("%s@%s", tractor_portal_get_name (portal),
                          tractor_portal_get_uuid (portal));
}

/* --- transports ------------------------------------------------------------------------------------ */

/* What stands in the path of the running test: "pair" is the socket pair to a child. */
static inline const char *
transport (void)
{
  const char *path = g_test_get_path ();

  return strstr (path, "/tcp/") != NULL ? "tcp" : strstr (path, "/unix/") != NULL ? "unix" : "pair";
}

/* (transfer full): an address of the running test's transport where nobody is. */
static inline char *
make_free_address (void)
{
  struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof name;
  int fd;

  if (strcmp (transport (), "tcp") != 0) {
    g_autofree char *dir = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);
    static int n;

    g_mkdir (dir, 0700);
    return g_strdup_printf ("unix:%s/registry-%d.sock", dir, n++);
  }
  fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &name, &length), ==, 0);
  close (fd);
  return g_strdup_printf ("tcp://127.0.0.1:%d", ntohs (name.sin_port));
}

/* A socket of the transport of @address, bound to it and listening, or connected to it. */
static inline int
raw_socket (const char *address, gboolean listens)
{
  struct sockaddr_in tcp = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct sockaddr_un un = { .sun_family = AF_UNIX };
  gboolean is_tcp = g_str_has_prefix (address, "tcp:");
  struct sockaddr *name = is_tcp ? (struct sockaddr *) &tcp : (struct sockaddr *) &un;
  socklen_t length = is_tcp ? sizeof tcp : sizeof un;
  int fd = socket (is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;

  if (is_tcp)
    tcp.sin_port = htons ((guint16) atoi (strrchr (address, ':') + 1));
  else
    g_strlcpy (un.sun_path, address + strlen ("unix:"), sizeof un.sun_path);
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (listens) {
    g_assert_cmpint (bind (fd, name, length), ==, 0);
    g_assert_cmpint (listen (fd, 8), ==, 0);
  } else {
    g_assert_cmpint (connect (fd, name, length), ==, 0);
  }
  return fd;
}

/* The file of a listening socket, if it has one. */
static inline void
remove_socket (const char *address)
{
  if (g_str_has_prefix (address, "unix:"))
    unlink (address + strlen ("unix:"));
}

/* One actor, for the length of a test, talked to over the test's transport. */
typedef struct {
  TractorRuntime *runtime;
  TractorActorNursery *nursery;
  TractorPortal *child; /* as its parent sees it */
  TractorPortal *portal;
} Peer;

static inline Peer
start_peer_with (TractorRuntimeOptions options, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  Peer peer = { 0 };

  if (strcmp (transport (), "pair") != 0)
    options.registry_addresses = registries;
  peer.runtime = tractor_runtime_open (&options, error);
  g_assert_no_error (*error);
  peer.nursery = tractor_actor_nursery_open (error);
  peer.child = tractor_actor_nursery_start (
      peer.nursery, "peer", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
  g_assert_no_error (*error);
  peer.portal = peer.child;
  if (strcmp (transport (), "pair") != 0)
    peer.portal = tractor_find_actor ("peer", error);
  g_assert_no_error (*error);
  g_assert_nonnull (peer.portal);
  return peer;
}

static inline Peer
start_peer (GError **error)
{
  return start_peer_with ((TractorRuntimeOptions){ 0 }, error);
}

static inline gboolean
end_peer (Peer *peer, GError **error)
{
  gboolean ok;

  if (peer->portal != peer->child)
    tractor_portal_unref (peer->portal);
  tractor_portal_unref (peer->child);
  tractor_actor_nursery_cancel (peer->nursery);
  ok = tractor_actor_nursery_join (peer->nursery, error);
  tractor_actor_nursery_close (peer->nursery);
  tractor_runtime_close (peer->runtime);
  return ok;
}

/* On every host, over each of the @transports: @path has a "%s" where that stands. @func is given @row. */
static inline void
add_on (const char *const *transports, const char *path, TractorTaskFunc func, gconstpointer row)
{
  g_auto (GStrv) parts = g_strsplit (path, "%s", 2);

  for (; *transports != NULL; transports++) {
    g_autofree char *whole = g_strconcat (parts[0], *transports, parts[1], NULL);

    harness_add_real_row (whole, func, row);
  }
}

static inline void
add_on_transports (const char *path, TractorTaskFunc func)
{
  static const char *const transports[] = { "pair", "unix", "tcp", NULL };

  add_on (transports, path, func, NULL);
}

/* Over those that are listened at. */
static inline void
add_row_on_sockets (const char *path, TractorTaskFunc func, gconstpointer row)
{
  static const char *const transports[] = { "unix", "tcp", NULL };

  add_on (transports, path, func, row);
}

static inline void
add_on_sockets (const char *path, TractorTaskFunc func)
{
  add_row_on_sockets (path, func, NULL);
}

/* --- what an actor says in a file ------------------------------------------------------------------- */

static inline void
wait_for_text (const char *path, const char *text)
{
  g_autofree char *found = NULL;

  while (!g_file_get_contents (path, &found, NULL, NULL) || strcmp (found, text) != 0) {
    g_clear_pointer (&found, g_free);
    g_assert_true (tractor_sleep_until (tractor_now () + 1000, NULL));
  }
}

typedef struct {
  const char *path;
  TractorCancelScope *scope;
} WhenItRuns;

/* For a task beside one that calls a function: cancels the call when the function has said that it runs, however long
 * that takes it. */
static inline gboolean
cancel_when_it_runs (gpointer data, G_GNUC_UNUSED GError **error)
{
  WhenItRuns *when = data;

  wait_for_text (when->path, "running");
  tractor_cancel_scope_cancel (when->scope, "it runs");
  return TRUE;
}
