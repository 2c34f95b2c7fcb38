/* newborn.c - a process that is about to be an actor, and does not know which.
 *
 * The start of an actor has two halves. A process is made, by exec or as a copy, with what a process can be given only as it
 * is made; and it is told who it is to be, over the socket to its parent. Between the two it waits, by itself and for
 * nothing else: so the second half may follow at once (spawn.c), or when somebody needs an actor (spares.c). What is here is
 * the first. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "newborn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "fork-server.h"
#include "link.h"
#include "log.h"
#include "raise-site.h"
#include "socket.h"
#include "stdio-fd.h"

/* --- what is asked for ------------------------------------------------------------------------------ */

/* (transfer container): what differs from our environment. @log, @preload: (nullable): of what it is to log, and what it
 * is to load first, unless its owner says otherwise: of several for one name the last counts. */
static const char **
make_env (const TractorSpawnOptions *options, const char *log, const char *preload)
{
  GPtrArray *env = g_ptr_array_new ();

  if (log != NULL)
    g_ptr_array_add (env, (char *) log);
  if (preload != NULL)
    g_ptr_array_add (env, (char *) preload);
  for (const char *const *at = options->env; at != NULL && *at != NULL; at++)
    g_ptr_array_add (env, (char *) *at);
  g_ptr_array_add (env, NULL);
  return (const char **) g_ptr_array_free (env, FALSE);
}

SpawnRequest
tractor__spawn_request (const TractorSpawnOptions *options)
{
  gboolean may_stop = !options->is_python && options->debug != TRACTOR_DEBUG_MODE_OFF;
  SpawnRequest self = { .log = tractor__log_make_variable (),
                        .preload = may_stop ? tractor__raise_site_make_variable () : NULL };

  self.env = make_env (options, self.log, self.preload);
  self.process = (ProcessRequest){
    .program = options->program,
    .argv = options->argv,
    .env = self.env,
    .cwd = options->cwd,
    .fds = options->fds,
    .n_fds = options->n_fds,
    .limits = options->limits,
    .n_limits = options->n_limits,
    .nice = options->nice,
    .stdio = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
    .link_fd = -1,
    .has_own_env = options->env != NULL || options->debug == TRACTOR_DEBUG_MODE_OFF,
  };
  return self;
}

void
tractor__spawn_request_clear (SpawnRequest *self)
{
  g_free (self->log);
  g_free (self->preload);
  g_free (self->env);
}

/* --- making it ---------------------------------------------------------------------------------------- */

static gboolean
set_errno_error (GError **error, const char *what)
{
  int saved_errno = errno;

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno), "%s: %s", what,
               g_strerror (saved_errno));
  return FALSE;
}

/* A file of ours that is larger than any may be would be the end of us, by SIGXFSZ. */
static off_t
get_words_bytes (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur > LIMIT_BOOT_STDERR_BYTES)
    return LIMIT_BOOT_STDERR_BYTES;
  return (off_t) limit.rlim_cur;
}

/* @ends: the first is ours, the second the child's. */
static gboolean
make_fds (TractorRuntime *runtime, int ends[2], int *ret_words_fd, GError **error)
{
  *ret_words_fd = memfd_create ("tractor-boot-stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (*ret_words_fd < 0)
    return set_errno_error (error, "cannot make a file for an actor's first words");
  if (!tractor__socket_pair (runtime->transport, ends, error)) {
    close (*ret_words_fd);
    return FALSE;
  }
  /* Of a fixed size, so that a program that writes without end while it boots costs no more. */
  if (ftruncate (*ret_words_fd, get_words_bytes ()) == 0)
    fcntl (*ret_words_fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK);
  if (keep_off_stdio (ret_words_fd) == 0 && keep_off_stdio (&ends[0]) == 0 &&
      keep_off_stdio (&ends[1]) == 0)
    return TRUE;

  set_errno_error (error, "cannot keep an actor's descriptors off stdin, stdout and stderr");
  close (*ret_words_fd);
  close (ends[0]);
  close (ends[1]);
  return FALSE;
}

gboolean
tractor__newborn_prepare (TractorRuntime *runtime,
                          const TractorSpawnOptions *options,
                          GError **error)
{
  static const TractorSpawnOptions plain = { 0 };
  g_auto (SpawnRequest) request = { 0 };

  if (!tractor__fork_server_is_wanted (runtime) || (options != NULL && options->program != NULL))
    return TRUE;
  request = tractor__spawn_request (&plain);
  return tractor__fork_server_provide (runtime, request.env, error);
}

gboolean
tractor__newborn_start (TractorRuntime *runtime,
                        const SpawnRequest *spawn,
                        const char *title,
                        Newborn *ret_newborn,
                        GError **error)
{
  ProcessRequest request = spawn->process;
  Newborn newborn = { .process = { .pidfd = -1 } };
  int ends[2];
  gboolean ok;

  if (!make_fds (runtime, ends, &newborn.words_fd, error))
    return FALSE;
  newborn.link_fd = ends[0];
  request.title = title;
  request.stdio[STDERR_FILENO] = newborn.words_fd;
  request.link_fd = ends[1];
  ok = runtime->spawn_method->start (runtime->spawn_method, &request, &newborn.process, error);
  close (ends[1]);
  if (ok)
    *ret_newborn = newborn;
  else
    tractor__newborn_close_fds (&newborn);
  return ok;
}

void
tractor__newborn_close_fds (Newborn *newborn)
{
  close_fd (&newborn->link_fd);
  close_fd (&newborn->words_fd);
}

/* A few bytes to a fresh socket do not have to wait. */
gboolean
tractor__newborn_introduce (Newborn *newborn, TractorRuntime *runtime)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();

  tractor__runtime_write_introduction (runtime, buffer, NULL);
  newborn->is_told_of_us =
      send (newborn->link_fd, buffer->data, buffer->len, MSG_NOSIGNAL) == (gssize) buffer->len;
  return newborn->is_told_of_us;
}
