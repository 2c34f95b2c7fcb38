/* value-fd.c - a descriptor as a value, and back.
 *
 * In a value of this process a descriptor is a mark with a secret of the process and a number: that of
 * the descriptor, if it is to be sent, or below zero one that has arrived. The codec replaces each mark
 * when it is sent, and when it arrives (passed-fds.c): so what a peer sends never leads to one of ours,
 * nor to one that came with another message, over whatever connection.
 *
 * What has arrived waits in one table under its number, which is never used twice, until somebody takes
 * it or the value that it came in is freed. A GVariant can be freed on any thread, and so be asked.
 *
 * Whoever keeps a value before it is sent holds it: a copy, whose marks have the numbers of duplicates, which
 * are closed with it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "value-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tractor-error.h"
#include "value.h"

/* --- marks --------------------------------------------------------------------------------------- */

typedef struct {
  guint64 secret;
  gint64 number;
} Mark;

G_STATIC_ASSERT (sizeof (Mark) == FD_MARK_BYTES);

static guint64 secret;

/* Not 0, which is nothing's. */
static void
make_secret (void)
{
  do
    if (getrandom (&secret, sizeof secret, 0) != sizeof secret)
      secret = (guint64) g_random_int () << 32 | g_random_int ();
  while (secret == 0);
}

static guint64
get_secret (void)
{
  static gsize is_made;

  if (g_once_init_enter (&is_made)) {
    make_secret ();
    g_once_init_leave (&is_made, 1);
  }
  return secret;
}

void
tractor__value_fd_renew_secret (void)
{
  get_secret ();
  make_secret ();
}

static GVariant *
new_mark (gint64 number)
{
  Mark mark = { get_secret (), number };

  return tractor__ext_new_raw (FD_EXT_CODE, (const guint8 *) &mark, sizeof mark);
}

int
tractor__value_fd_get (const guint8 *bytes)
{
  Mark mark;

  memcpy (&mark, bytes, sizeof mark);
  return mark.secret == get_secret () && mark.number >= 0 ? (int) mark.number : -1;
}

/* Whether there has been a mark of something to be sent: most programs never make one. */
static int has_marks;

GVariant *
tractor_value_new_fd (int fd)
{
  g_return_val_if_fail (fd >= 0, NULL);

  g_atomic_int_set (&has_marks, TRUE);
  return new_mark (fd);
}

/* --- held until they are sent ---------------------------------------------------------------------- */

/* The bytes of a value, and the duplicates that its marks lead to. */
typedef struct {
  gpointer bytes;
  guint n;
  int fds[LIMIT_FDS_OF_MESSAGE];
} Held;

static void
held_free (gpointer data)
{
  Held *held = data;

  for (guint i = 0; i < held->n; i++)
    close (held->fds[i]);
  g_free (held->bytes);
  g_free (held);
}

typedef struct {
  guint n;
  gboolean is_too_deep;
  Held *held; /* (nullable): NULL only counts */
} Marks;

/* @bytes: of a mark in the bytes of @held. */
static gboolean
hold_mark (Held *held, guint8 *bytes, int fd, GError **error)
{
  Mark mark = { get_secret (), fcntl (fd, F_DUPFD_CLOEXEC, 3) };

  if (mark.number < 0) {
    int saved_errno = errno;

    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno),
                 "Descriptor %d cannot be kept until it is sent: %s", fd, g_strerror (saved_errno));
    return FALSE;
  }
  held->fds[held->n++] = (int) mark.number;
  memcpy (bytes, &mark, sizeof mark);
  return TRUE;
}

static gboolean
see_extension (Marks *marks, GVariant *value, GError **error)
{
  g_autoptr (GVariant) bytes = g_variant_get_child_value (value, 1);
  g_autoptr (GVariant) code = g_variant_get_child_value (value, 0);
  gsize length;
  const guint8 *mark = g_variant_get_fixed_array (bytes, &length, 1);
  int fd = is_fd_extension (g_variant_get_int16 (code), length) ? tractor__value_fd_get (mark) : -1;

  if (fd < 0)
    return TRUE;
  if (++marks->n > LIMIT_FDS_OF_MESSAGE) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A message of more than %d descriptors cannot be sent", LIMIT_FDS_OF_MESSAGE);
    return FALSE;
  }
  return marks->held == NULL || hold_mark (marks->held, (guint8 *) mark, fd, error);
}

/* No deeper than what can be sent. */
static gboolean
see_marks (Marks *marks, GVariant *value, guint level, GError **error)
{
  const char *type = g_variant_get_type_string (value);
  gboolean ok = TRUE;

  if (strchr (type, 'v') == NULL && strstr (type, "(nay)") == NULL)
    return TRUE;
  if (strcmp (type, "(nay)") == 0)
    return see_extension (marks, value, error);
  if (level > LIMIT_LEVELS) {
    marks->is_too_deep = TRUE;
    return TRUE;
  }
  for (gsize i = 0; i < g_variant_n_children (value) && ok && !marks->is_too_deep; i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

    ok = see_marks (marks, child, level + 1, error);
  }
  return ok;
}

/* Returns: (transfer full): a copy */
static GVariant *
copy_held (GVariant *value, GError **error)
{
  Marks marks = { .held = g_new0 (Held, 1) };
  gsize length = g_variant_get_size (value);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) copy = NULL;

  marks.held->bytes = g_malloc (length);
  g_variant_store (value, marks.held->bytes);
  bytes = g_bytes_new_with_free_func (marks.held->bytes, length, held_free, marks.held);
  copy = g_variant_ref_sink (g_variant_new_from_bytes (g_variant_get_type (value), bytes, FALSE));
  return see_marks (&marks, copy, 0, error) ? g_steal_pointer (&copy) : NULL;
}

GVariant *
tractor_value_hold_fds (GVariant *value, GError **error)
{
  g_autoptr (RefusedValue) owned = NULL;
  Marks marks = { 0 };

  if (!tractor_error_check_given (value, "value", error))
    return NULL;

  owned = g_variant_ref_sink (value);
  if (g_atomic_int_get (&has_marks) && !see_marks (&marks, owned, 0, error))
    return NULL;
  /* One that is too deep is refused when it is to be sent. */
  if (marks.n > 0 && !marks.is_too_deep)
    return copy_held (owned, error);
  return g_steal_pointer (&owned);
}

/* --- what has arrived ------------------------------------------------------------------------------ */

typedef struct {
  gint64 number; /* the key */
  int fd;
} Arrived;

static GMutex mutex;
static GHashTable *arrived; /* (nullable) (element-type Arrived) */
static gint64 last_number;

static gint64
keep (int fd)
{
  Arrived *entry = g_new (Arrived, 1);
  gint64 number;

  g_mutex_lock (&mutex);
  if (arrived == NULL)
    arrived = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  number = --last_number;
  *entry = (Arrived){ number, fd };
  g_hash_table_add (arrived, entry);
  g_mutex_unlock (&mutex);
  return number;
}

/* Returns: (transfer full): -1 if it is not there any more. */
static int
withdraw (gint64 number)
{
  Arrived *entry;
  int fd = -1;

  g_mutex_lock (&mutex);
  entry = arrived != NULL ? g_hash_table_lookup (arrived, &number) : NULL;
  if (entry != NULL) {
    fd = entry->fd;
    g_hash_table_remove (arrived, entry);
  }
  if (arrived != NULL && g_hash_table_size (arrived) == 0)
    g_clear_pointer (&arrived, g_hash_table_unref);
  g_mutex_unlock (&mutex);
  return fd;
}

GVariant *
tractor__value_fds_add (ValueFds *value_fds, PassedFds *fds, const guint8 *mark)
{
  int fd = tractor__passed_fds_take (fds, mark);
  gint64 number;

  if (fd == FD_IS_LOST)
    return NULL;
  if (fd < 0) {
    static const guint8 nothing[FD_MARK_BYTES];

    return tractor__ext_new_raw (FD_EXT_CODE, nothing, sizeof nothing);
  }
  number = keep (fd);
  value_fds->numbers[value_fds->n++] = number;
  return new_mark (number);
}

void
tractor__value_fds_clear (ValueFds *value_fds)
{
  for (guint i = 0; i < value_fds->n; i++) {
    int fd = withdraw (value_fds->numbers[i]);

    if (fd >= 0)
      tractor__fd_close (fd);
  }
  value_fds->n = 0;
}

/* The bytes of a value, which all that is taken out of it shares. */
typedef struct {
  GBytes *bytes;
  ValueFds fds;
} Owner;

static void
owner_free (gpointer data)
{
  Owner *owner = data;

  tractor__value_fds_clear (&owner->fds);
  g_bytes_unref (owner->bytes);
  g_free (owner);
}

GVariant *
tractor__value_fds_attach (ValueFds *value_fds, GVariant *value)
{
  g_autoptr (GVariant) owned = value;
  g_autoptr (GBytes) bytes = NULL;
  Owner *owner;
  gsize length;
  gconstpointer data;

  if (value_fds->n == 0)
    return g_steal_pointer (&owned);
  owner = g_new (Owner, 1);
  *owner = (Owner){ g_variant_get_data_as_bytes (value), *value_fds };
  data = g_bytes_get_data (owner->bytes, &length);
  bytes = g_bytes_new_with_free_func (data, length, owner_free, owner);
  *value_fds = (ValueFds){ 0 };
  return g_variant_ref_sink (g_variant_new_from_bytes (g_variant_get_type (value), bytes, TRUE));
}

/* --- for programs ---------------------------------------------------------------------------------- */

/* Returns: FALSE if @value is no descriptor. */
static gboolean
read_mark (GVariant *value, Mark *ret_mark)
{
  g_autoptr (GVariant) bytes = NULL;
  gconstpointer data;
  gint16 code = 0;
  gsize length = 0;

  if (value == NULL || !g_variant_is_of_type (value, EXTENSION_TYPE))
    return FALSE;
  g_variant_get (value, "(n@ay)", &code, &bytes);
  data = g_variant_get_fixed_array (bytes, &length, 1);
  if (!is_fd_extension (code, length))
    return FALSE;
  memcpy (ret_mark, data, sizeof *ret_mark);
  return TRUE;
}

int
tractor_value_take_fd (GVariant *value, GError **error)
{
  Mark mark;
  int fd = -1;

  if (!read_mark (value, &mark)) {
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                 "A value of type '%s' is no descriptor",
                 value != NULL ? g_variant_get_type_string (value) : "nil");
    return -1;
  }
  if (mark.secret == get_secret () && mark.number < 0)
    fd = withdraw (mark.number);
  if (fd >= 0)
    tractor__fd_let_go ();
  else
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "The descriptor has been taken before, or none came with the value");
  return fd;
}
