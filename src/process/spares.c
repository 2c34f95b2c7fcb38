/* spares.c - processes of an actor nursery that wait until somebody needs an actor.
 *
 * A spare is the first half of an actor's start (newborn.c), made in advance: a process that has come as far as it
 * comes without knowing who it is, and knows who its parent is. Whoever starts an actor that such a process could be
 * takes it, and goes on with the second half. So nothing about the actor is different; but it is only what a process
 * has from its birth that has to be looked at, and there, whether a process that was born now would have the same. All
 * of that goes into one number, as with the fork server's (surroundings.c). In doubt there is no spare for an actor,
 * and it is started as without.
 *
 * One task keeps them. It sleeps until one of them ends, or some are missing. What waits is no actor: it is not in the
 * tree, and if it dies nobody is told but the log. It has nothing to lose either, so it is killed to be ended.
 *
 * Those that are missing are made when an actor has answered, and not before: a program that cannot be one would have
 * us make processes without end. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spares.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bounds.h"
#include "exec.h"
#include "log.h"
#include "patience.h"
#include "spawn-plan.h"
#include "stdio-fd.h"
#include "surroundings.h"
#include "title.h"

/* Making a process holds this thread up for as long as an exec takes; and who has just got an actor is about to use it. */
#define LEAVE_ALONE_USEC 5000

/* linux/kcmp.h, which not all have. */
#define KCMP_FILE_TYPE 0

typedef struct {
  Newborn newborn;
  guint64 sum;  /* of what it has been born with */
  int files[3]; /* ours, of its stdin, stdout and stderr that have a place in a file; or -1 */
  gboolean is_dropped; /* it is about to end */
} Spare;

struct _Spares {
  TractorRuntime *runtime;
  TractorNursery *nursery;
  SpawnPlan *plan; /* (nullable): of what they are */
  guint n_wanted;
  GPtrArray *spares;       /* (element-type Spare): the oldest first */
  int ends_fd;             /* an epoll of their pidfds; -1: none has ever been wanted */
  gboolean has_misfit;     /* one was not what was wanted */
  gboolean is_to_look;     /* some are missing, or may not be what is wanted any more */
  gboolean has_ended;      /* there will be none */
  TractorCancelScope *nap; /* (nullable): of the task that keeps them */
};

/* --- what they have been born with -------------------------------------------------------------------------- */

static void
add_text (guint64 *sum, const char *text)
{
  tractor__surroundings_add (sum, text != NULL ? text : "", text != NULL ? strlen (text) + 1 : 0);
}

static void
add_number (guint64 *sum, guint64 number)
{
  tractor__surroundings_add (sum, &number, sizeof number);
}

static void
add_file (guint64 *sum, const struct stat *file)
{
  add_number (sum, file->st_dev);
  add_number (sum, file->st_ino);
  add_number (sum, file->st_rdev);
}

/* Another may have its path by now, or none: then the number is another too. */
static void
add_program (guint64 *sum, const ProcessRequest *request)
{
  g_autofree char *path = request->cwd != NULL && !g_path_is_absolute (request->program)
                              ? g_build_filename (request->cwd, request->program, NULL)
                              : g_strdup (request->program);
  struct stat file = { 0 };

  stat (path, &file);
  add_text (sum, request->program);
  add_file (sum, &file);
  add_number (sum, (guint64) file.st_size);
  tractor__surroundings_add (sum, &file.st_mtim, sizeof file.st_mtim);
}

static void
add_directory (guint64 *sum, const char *path)
{
  struct stat file = { 0 };

  stat (path, &file);
  add_text (sum, path);
  add_file (sum, &file);
}

/* Who opens a file twice has two places in it. FALSE also if nobody says. */
static gboolean
is_same_place (int one, int other)
{
  return syscall (SYS_kcmp, getpid (), getpid (), KCMP_FILE_TYPE, one, other) == 0;
}

static gboolean
has_place (int fd)
{
  struct stat file;

  return fstat (fd, &file) == 0 && S_ISREG (file.st_mode) &&
         (fcntl (fd, F_GETFD) & FD_CLOEXEC) == 0; /* else it has /dev/null instead */
}

/* stdin, stdout and stderr. Returns: FALSE if it could not be known whether one is the same later. */
static gboolean
add_stdio (guint64 *sum)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    struct stat file = { 0 };

    if (fstat (fd, &file) != 0)
      continue;
    if (has_place (fd) && !is_same_place (fd, fd))
      return FALSE;
    add_number (sum, (guint64) fd);
    add_file (sum, &file);
    add_number (sum, (guint64) fcntl (fd, F_GETFD));
    add_number (sum, (guint64) (fcntl (fd, F_GETFL) & O_ACCMODE));
  }
  return TRUE;
}

/* Returns: FALSE if no spare can be that, for it is born with descriptors, or if it cannot be known. */
static gboolean
sum_up (const ProcessRequest *request, guint64 *ret_sum)
{
  g_auto (GStrv) envp = NULL;

  if (request->n_fds > 0)
    return FALSE;
  envp = tractor__exec_make_environment (request);
  if (!tractor__surroundings_sum (envp, ret_sum))
    return FALSE;
  for (const char *const *at = request->argv; at != NULL && *at != NULL; at++)
    add_text (ret_sum, *at);
  for (gsize i = 0; i < request->n_limits; i++) {
    add_number (ret_sum, (guint64) request->limits[i].resource);
    add_number (ret_sum, request->limits[i].soft);
    add_number (ret_sum, request->limits[i].hard);
  }
  add_number (ret_sum, request->nice);
  if (request->program != NULL)
    add_program (ret_sum, request);
  if (request->cwd != NULL)
    add_directory (ret_sum, request->cwd);
  return add_stdio (ret_sum);
}

static gboolean
fits (const Spare *spare, guint64 sum)
{
  if (spare->is_dropped || spare->sum != sum)
    return FALSE;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (spare->files[fd] >= 0 && !is_same_place (spare->files[fd], fd))
      return FALSE;
  return TRUE;
}

/* --- their ends ------------------------------------------------------------------------------------------------ */

static void
close_files (Spare *spare)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    close_fd (&spare->files[fd]);
}

static void
spare_free (gpointer data)
{
  Spare *spare = data;

  close_files (spare);
  tractor__newborn_close_fds (&spare->newborn);
  tractor__process_clear (&spare->newborn.process);
  g_free (spare);
}

/* It is reaped when it has ended. */
static void
drop (Spare *spare)
{
  spare->is_dropped = TRUE;
  tractor__process_signal (&spare->newborn.process, SIGKILL);
}

static void
drop_all (Spares *self)
{
  for (guint i = 0; i < self->spares->len; i++)
    drop (self->spares->pdata[i]);
}

/* Returns: whether it has ended; then it is reaped. */
static gboolean
has_ended (Spare *spare)
{
  if (!tractor__process_reap (&spare->newborn.process))
    return FALSE;
  if (!spare->is_dropped && log_is_wanted (LOG_SUPERVISE, G_LOG_LEVEL_INFO)) {
    g_autofree char *end = tractor__process_describe_end (&spare->newborn.process);

    log_info (LOG_SUPERVISE, "a spare process (pid %d) %s", (int) spare->newborn.process.pid, end);
  }
  return TRUE;
}

static void
forget_ended (Spares *self)
{
  for (guint i = self->spares->len; i-- > 0;)
    if (has_ended (self->spares->pdata[i]))
      g_ptr_array_remove_index (self->spares, i);
}

static void
wait_for_ends (Spares *self)
{
  gint64 give_up_at = tractor__patience_now () + PATIENCE_KILL_USEC;

  for (guint i = 0; i < self->spares->len; i++) {
    Spare *spare = self->spares->pdata[i];

    tractor__process_wait_until (&spare->newborn.process, give_up_at);
  }
  g_ptr_array_set_size (self->spares, 0);
}

/* --- making them --------------------------------------------------------------------------------------------------- */

static guint
count_waiting (const Spares *self)
{
  guint n = 0;

  for (guint i = 0; i < self->spares->len; i++)
    n += !((const Spare *) self->spares->pdata[i])->is_dropped;
  return n;
}

/* To know them again. Who has none left has no spare. */
static gboolean
keep_files (Spare *spare)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (!has_place (fd))
      continue;
    spare->files[fd] = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (spare->files[fd] < 0)
      return FALSE;
  }
  return TRUE;
}

static gboolean
make_one (Spares *self, const SpawnRequest *request, guint64 sum, GError **error)
{
  g_autofree char *title = tractor__title_make ("spare");
  Spare *spare = g_new0 (Spare, 1);
  struct epoll_event event = { .events = EPOLLIN };

  *spare = (Spare){ .sum = sum, .files = { -1, -1, -1 } };
  if (!tractor__newborn_start (self->runtime, request, title, &spare->newborn, error)) {
    g_free (spare);
    return FALSE;
  }
  log_debug (LOG_SUPERVISE, "a spare process (pid %d) is started",
             (int) spare->newborn.process.pid);
  if (keep_files (spare) && tractor__newborn_introduce (&spare->newborn, self->runtime) &&
      epoll_ctl (self->ends_fd, EPOLL_CTL_ADD, spare->newborn.process.pidfd, &event) == 0) {
    g_ptr_array_add (self->spares, spare);
    return TRUE;
  }
  /* It has died, or there are no descriptors left: whoever is started tells of that. */
  tractor__process_discard (&spare->newborn.process);
  spare_free (spare);
  return TRUE;
}

static gboolean
is_complete (const Spares *self)
{
  return !self->has_misfit && count_waiting (self) >= self->n_wanted;
}

/* Ends those that are not what is wanted, or too many, and makes those that are missing, @n_at_once at most. */
static gboolean
adjust (Spares *self, guint n_at_once, GError **error)
{
  g_auto (SpawnRequest) request = { 0 };
  guint64 sum = 0;
  gboolean may_be;
  guint n_kept = 0;

  self->has_misfit = FALSE;
  if (self->n_wanted == 0 || self->has_ended) {
    drop_all (self);
    return TRUE;
  }
  request = tractor__spawn_request (&self->plan->options);
  may_be = sum_up (&request.process, &sum);
  for (guint i = 0; i < self->spares->len; i++) {
    Spare *spare = self->spares->pdata[i];

    if (may_be && n_kept < self->n_wanted && fits (spare, sum))
      n_kept++;
    else
      drop (spare);
  }
  for (; may_be && n_at_once > 0 && n_kept < self->n_wanted; n_kept++, n_at_once--)
    if (!make_one (self, &request, sum, error))
      return FALSE;
  return TRUE;
}

/* --- keeping them ---------------------------------------------------------------------------------------------------- */

static void
wake (Spares *self)
{
  if (self->nap != NULL)
    tractor_cancel_scope_cancel (self->nap, "spares are looked after");
}

/* Until there is something to do. Returns: FALSE if that cannot be noticed. */
static gboolean
sleep_until_needed (Spares *self)
{
  g_autoptr (TractorCancelScope) nap = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (GError) failure = NULL;

  if (self->is_to_look || self->has_ended)
    return TRUE;
  self->nap = nap;
  tractor_wait_fd (self->ends_fd, G_IO_IN, NULL, &failure);
  self->nap = NULL;
  return failure == NULL || g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
}

static void
leave_alone (Spares *self)
{
  g_autoptr (TractorCancelScope) nap = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  self->nap = nap;
  tractor_sleep_until (tractor_now () + LEAVE_ALONE_USEC, NULL);
  self->nap = NULL;
}

/* One by one, each behind all that can go on now. */
static void
look (Spares *self)
{
  leave_alone (self);
  self->is_to_look = FALSE;
  for (guint i = 0; i < self->n_wanted && !self->has_ended && !is_complete (self); i++) {
    g_autoptr (GError) failure = NULL;

    if (!tractor_checkpoint (NULL) ||
        !tractor__newborn_prepare (self->runtime, &self->plan->options, NULL))
      return;
    if (!adjust (self, 1, &failure)) {
      log_message (LOG_SUPERVISE, "there is no spare process: %s", failure->message);
      return;
    }
  }
}

static gboolean
keep (gpointer data, G_GNUC_UNUSED GError **error)
{
  Spares *self = data;

  while (sleep_until_needed (self) && !self->has_ended && tractor_checkpoint_if_cancelled (NULL)) {
    forget_ended (self);
    if (self->is_to_look)
      look (self);
  }
  tractor__spares_end (self);
  wait_for_ends (self);
  return TRUE;
}

/* The first time. */
static gboolean
begin (Spares *self, GError **error)
{
  if (self->ends_fd >= 0)
    return TRUE;
  self->ends_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->ends_fd >= 0 && keep_off_stdio (&self->ends_fd) == 0) {
    if (tractor_nursery_spawn (self->nursery, "spares", keep, self, NULL, error))
      return TRUE;
  } else {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                 "cannot watch spare processes: %s", g_strerror (errno));
  }
  close_fd (&self->ends_fd);
  return FALSE;
}

static gboolean
check (const Spares *self, guint n, const TractorSpawnOptions *options, GError **error)
{
  if (n > self->runtime->limits.children) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
                 "An actor can have %" G_GUINT64_FORMAT
                 " children (TractorLimits.children), so %u are "
                 "not prepared",
                 self->runtime->limits.children, n);
    return FALSE;
  }
  if (options == NULL || (!options->is_python && options->n_fds == 0))
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       options->is_python
                           ? "A Python actor cannot be prepared: its command line says who it is"
                           : "Descriptors cannot be prepared: give them to "
                             "tractor_actor_nursery_start(), which starts a process for them");
  return FALSE;
}

gboolean
tractor__spares_prepare (Spares *self, guint n, const TractorSpawnOptions *options, GError **error)
{
  g_autoptr (SpawnPlan) plan = NULL;
  g_auto (SpawnRequest) request = { 0 };

  if (!check (self, n, options, error))
    return FALSE;
  plan = tractor__spawn_plan_new (options, error);
  if (plan == NULL)
    return FALSE;
  request = tractor__spawn_request (&plan->options);
  if (!tractor__exec_check (&request.process, error) || !begin (self, error))
    return FALSE;
  tractor__spawn_plan_free (self->plan);
  self->plan = g_steal_pointer (&plan);
  self->n_wanted = n;
  if (adjust (self, n, error))
    return TRUE;
  self->n_wanted = 0;
  drop_all (self);
  return FALSE;
}

/* --- using them ------------------------------------------------------------------------------------------------------ */

gboolean
tractor__spares_wait (const Spares *self)
{
  return count_waiting (self) > 0;
}

static Newborn
steal (Spares *self, guint i)
{
  g_autofree Spare *spare = g_ptr_array_steal_index (self->spares, i);

  close_files (spare);
  /* Who it is now watches it. */
  epoll_ctl (self->ends_fd, EPOLL_CTL_DEL, spare->newborn.process.pidfd, NULL);
  return spare->newborn;
}

gboolean
tractor__spares_take (Spares *self, const ProcessRequest *request, Newborn *ret_newborn)
{
  guint64 sum;

  if (!tractor__spares_wait (self) || !sum_up (request, &sum))
    return FALSE;
  forget_ended (self);
  for (guint i = 0; i < self->spares->len; i++)
    if (fits (self->spares->pdata[i], sum)) {
      *ret_newborn = steal (self, i);
      return TRUE;
    }
  self->has_misfit = TRUE;
  return FALSE;
}

void
tractor__spares_fill_up (Spares *self)
{
  if (self->n_wanted == 0 || self->has_ended || self->is_to_look || is_complete (self))
    return;
  self->is_to_look = TRUE;
  wake (self);
}

/* --- their nursery's --------------------------------------------------------------------------------------------------- */

Spares *
tractor__spares_new (TractorRuntime *runtime, TractorNursery *nursery)
{
  Spares *self = g_new0 (Spares, 1);

  self->runtime = runtime;
  self->nursery = nursery;
  self->spares = g_ptr_array_new_with_free_func (spare_free);
  self->ends_fd = -1;
  return self;
}

void
tractor__spares_end (Spares *self)
{
  self->has_ended = TRUE;
  drop_all (self);
  wake (self);
}

void
tractor__spares_free (Spares *self)
{
  close_fd (&self->ends_fd);
  g_ptr_array_unref (self->spares);
  tractor__spawn_plan_free (self->plan);
  g_free (self);
}
