/* error.c - the error domain, and what an error carries besides its words.
 *
 * Domain, code and message are GError's. The rest hangs on one pointer to details that all copies
 * of an error share: the members of a group, or where a remote error came from. A bare CANCELLED,
 * the most frequent one, has none. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "error.h"

#include <string.h>

typedef struct {
  gatomicrefcount refs;
  GPtrArray *children; /* (nullable) (element-type GError) */
  guint depth;         /* of the groups in it, if it is one */
  guint n_leaves;      /* of all of them */
  gboolean is_remote;
  TractorRemoteError remote; /* its strings are owned */
  char *backtrace;           /* (nullable): of what is not remote */
  char *canceller;           /* (nullable) */
} Details;

typedef struct {
  Details *details; /* (nullable) */
} TractorErrorPrivate;

static Details *
details_new (void)
{
  Details *details = g_new0 (Details, 1);

  g_atomic_ref_count_init (&details->refs);
  return details;
}

static void
details_unref (Details *details)
{
  if (details == NULL || !g_atomic_ref_count_dec (&details->refs))
    return;

  g_clear_pointer (&details->children, g_ptr_array_unref);
  g_free ((char *) details->remote.domain);
  g_free ((char *) details->remote.type_name);
  g_free ((char *) details->remote.origin);
  g_strfreev ((char **) details->remote.relays);
  g_free ((char *) details->remote.backtrace);
  if (details->remote.members != NULL)
    g_ptr_array_unref ((GPtrArray *) details->remote.members);
  g_free (details->backtrace);
  g_free (details->canceller);
  g_free (details);
}

static void
tractor_error_private_init (TractorErrorPrivate *private)
{
  private->details = NULL;
}

static void
tractor_error_private_copy (const TractorErrorPrivate *from, TractorErrorPrivate *to)
{
  to->details = from->details;
  if (to->details != NULL)
    g_atomic_ref_count_inc (&to->details->refs);
}

static void
tractor_error_private_clear (TractorErrorPrivate *private)
{
  details_unref (private->details);
}

G_DEFINE_EXTENDED_ERROR (TractorError, tractor_error)

static const Details *
get_details (const GError *error)
{
  if (error == NULL || error->domain != TRACTOR_ERROR)
    return NULL;
  return tractor_error_get_private (error)->details;
}

/* --- groups ------------------------------------------------------------------------------------ */

static guint
get_depth (const GError *error)
{
  const Details *details = get_details (error);

  return details != NULL ? details->depth : 0;
}

/* Whoever asks, describes or frees goes down by a call for each level, and a nursery in a nursery may
 * be as deep as there is memory for tasks. */
#define LARGEST_DEPTH 64

/* Adds what failed, and no group of it. */
static void
add_leaves (GPtrArray *leaves, const GError *error)
{
  const GPtrArray *children = tractor_error_get_children (error);

  if (children == NULL)
    g_ptr_array_add (leaves, g_error_copy (error));
  for (guint i = 0; children != NULL && i < children->len; i++)
    add_leaves (leaves, children->pdata[i]);
}

/* Takes @failures. Returns: the same, where a group that is too deep to be in one is taken apart. */
static GPtrArray *
flatten (GPtrArray *failures)
{
  GPtrArray *flat = g_ptr_array_new ();

  for (guint i = 0; i < failures->len; i++) {
    GError *failure = failures->pdata[i];

    if (get_depth (failure) < LARGEST_DEPTH) {
      g_ptr_array_add (flat, failure);
      continue;
    }
    add_leaves (flat, failure);
    g_error_free (failure);
  }
  g_ptr_array_set_free_func (failures, NULL);
  g_ptr_array_unref (failures);
  return flat;
}

static guint
count_leaves (const GError *error)
{
  const Details *details = get_details (error);

  return details != NULL && details->children != NULL ? details->n_leaves : 1;
}

static const GError *
get_first_leaf (const GError *error)
{
  const GPtrArray *children;

  while ((children = tractor_error_get_children (error)) != NULL)
    error = children->pdata[0];
  return error;
}

static guint
get_largest_depth (const GPtrArray *failures)
{
  guint depth = 0;

  for (guint i = 0; i < failures->len; i++)
    depth = MAX (depth, get_depth (failures->pdata[i]));
  return depth;
}

GError *
tractor_error_new_group (GPtrArray *failures)
{
  const GError *first;
  GError *error;
  Details *details;
  guint n_leaves = 0;

  g_return_val_if_fail (failures != NULL && failures->len > 0, NULL);

  if (get_largest_depth (failures) >= LARGEST_DEPTH)
    failures = flatten (failures);
  for (guint i = 0; i < failures->len; i++)
    n_leaves += count_leaves (failures->pdata[i]);
  /* What failed, whatever it came up through. */
  first = get_first_leaf (failures->pdata[0]);
  if (n_leaves == 1)
    error = g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_GROUP, "1 failure: %s", first->message);
  else
    error = g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_GROUP, "%u failures, the first: %s", n_leaves,
                         first->message);
  details = details_new ();
  g_ptr_array_set_free_func (failures, (GDestroyNotify) g_error_free);
  details->children = failures;
  details->n_leaves = n_leaves;
  details->depth = get_largest_depth (failures) + 1;
  tractor_error_get_private (error)->details = details;
  return error;
}

GError *
tractor__error_add_failures (GError *error, GPtrArray *failures)
{
  if (error != NULL)
    g_ptr_array_insert (failures, 0, error);
  return tractor_error_new_group (failures);
}

const GPtrArray *
tractor_error_get_children (const GError *error)
{
  const Details *details = get_details (error);

  return details != NULL ? details->children : NULL;
}

gboolean
tractor__error_contains (const GError *error, const GError *part)
{
  const GPtrArray *children = tractor_error_get_children (error);

  if (g_error_matches (error, part->domain, part->code) &&
      g_str_has_suffix (error->message, part->message))
    return TRUE;
  for (guint i = 0; children != NULL && i < children->len; i++)
    if (tractor__error_contains (children->pdata[i], part))
      return TRUE;
  return FALSE;
}

gboolean
tractor__error_strip (GError **error, const GError *part)
{
  const GPtrArray *children;
  GPtrArray *kept;

  if (*error == NULL || !tractor__error_contains (*error, part))
    return FALSE;

  children = tractor_error_get_children (*error);
  if (children == NULL) {
    g_clear_error (error);
    return TRUE;
  }

  /* Copies of the error may be about, so the group is made anew. */
  kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  for (guint i = 0; i < children->len; i++) {
    GError *child = g_error_copy (children->pdata[i]);

    tractor__error_strip (&child, part);
    if (child != NULL)
      g_ptr_array_add (kept, child);
  }
  g_clear_error (error);
  if (kept->len > 0)
    *error = tractor_error_new_group (kept);
  else
    g_ptr_array_unref (kept);
  return TRUE;
}

gboolean
tractor__error_strip_cancelled (GError **error)
{
  const GError cancelled = { TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED, (char *) "" };

  return tractor__error_strip (error, &cancelled);
}

/* --- from other actors ------------------------------------------------------------------------- */

static gpointer
copy_member (gconstpointer member, G_GNUC_UNUSED gpointer data)
{
  return g_error_copy (member);
}

static GPtrArray *
copy_members (const GPtrArray *members)
{
  GPtrArray *copies;

  if (members == NULL)
    return NULL;
  copies = g_ptr_array_copy ((GPtrArray *) members, copy_member, NULL);
  g_ptr_array_set_free_func (copies, (GDestroyNotify) g_error_free);
  return copies;
}

GError *
tractor_error_new_remote (TractorError code,
                          const TractorRemoteError *remote,
                          const char *canceller,
                          const char *message)
{
  GError *error = g_error_new_literal (TRACTOR_ERROR, code, message);
  Details *details = details_new ();

  details->is_remote = TRUE;
  details->remote.domain = g_strdup (remote->domain);
  details->remote.code = remote->code;
  details->remote.type_name = g_strdup (remote->type_name != NULL ? remote->type_name : "");
  details->remote.origin = g_strdup (remote->origin != NULL ? remote->origin : "");
  details->remote.relays =
      (const char *const *) (remote->relays != NULL ? g_strdupv ((char **) remote->relays)
                                                    : g_new0 (char *, 1));
  details->remote.backtrace = g_strdup (remote->backtrace);
  details->remote.members = copy_members (remote->members);
  details->canceller = g_strdup (canceller);
  tractor_error_get_private (error)->details = details;
  return error;
}

const TractorRemoteError *
tractor_error_get_remote (const GError *error)
{
  const Details *details = get_details (error);

  return details != NULL && details->is_remote ? &details->remote : NULL;
}

const char *
tractor_error_get_canceller (const GError *error)
{
  const Details *details = get_details (error);

  return details != NULL ? details->canceller : NULL;
}

GError *
tractor_error_new_traced (TractorError code, const char *backtrace, const char *message)
{
  GError *error = g_error_new_literal (TRACTOR_ERROR, code, message);

  if (backtrace != NULL) {
    Details *details = details_new ();

    details->backtrace = g_strdup (backtrace);
    tractor_error_get_private (error)->details = details;
  }
  return error;
}

const char *
tractor_error_get_backtrace (const GError *error)
{
  const Details *details = get_details (error);

  if (details == NULL)
    return NULL;
  return details->is_remote ? details->remote.backtrace : details->backtrace;
}

gboolean
tractor_error_matches (const GError *error, GQuark domain, int code)
{
  const GPtrArray *children = tractor_error_get_children (error);
  const TractorRemoteError *remote = tractor_error_get_remote (error);

  if (error == NULL)
    return FALSE;
  if (g_error_matches (error, domain, code))
    return TRUE;
  if (remote != NULL && remote->domain != NULL && remote->code == code &&
      strcmp (remote->domain, g_quark_to_string (domain)) == 0)
    return TRUE;
  for (guint i = 0; remote != NULL && remote->members != NULL && i < remote->members->len; i++)
    if (tractor_error_matches (remote->members->pdata[i], domain, code))
      return TRUE;
  for (guint i = 0; children != NULL && i < children->len; i++)
    if (tractor_error_matches (children->pdata[i], domain, code))
      return TRUE;
  return FALSE;
}

void
tractor_error_set_not_given (const char *what, GError **error)
{
  if (error == NULL)
    g_critical ("There is no %s: NULL was given", what);
  else if (*error == NULL)
    g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "There is no %s: NULL was given",
                 what);
}

/* --- in words ---------------------------------------------------------------------------------- */

static void
append_indented (GString *text, const char *lines, guint indent)
{
  g_auto (GStrv) split = g_strsplit (lines, "\n", -1);

  for (char **line = split; *line != NULL; line++)
    if ((*line)[0] != '\0')
      g_string_append_printf (text, "\n%*s%s", (int) indent, "", *line);
}

static void describe (GString *text, const GError *error, guint indent);

static void
describe_members (GString *text, const GPtrArray *members, guint indent)
{
  for (guint i = 0; i < members->len; i++) {
    g_string_append_printf (text, "\n%*s- ", (int) indent, "");
    describe (text, members->pdata[i], indent + 2);
  }
}

static void
describe (GString *text, const GError *error, guint indent)
{
  const GPtrArray *children = tractor_error_get_children (error);
  const TractorRemoteError *remote = tractor_error_get_remote (error);

  if (children != NULL && children->len == 1) {
    describe (text, children->pdata[0], indent);
    return;
  }
  if (children != NULL)
    g_string_append_printf (text, "%u failures:", children->len);
  else
    g_string_append (text, error->message);

  if (children != NULL)
    describe_members (text, children, indent);
  if (remote == NULL) {
    if (tractor_error_get_backtrace (error) != NULL)
      append_indented (text, tractor_error_get_backtrace (error), indent + 4);
    return;
  }

  g_string_append_printf (text, "\n%*sfailed first in %s, as %s", (int) indent + 2, "",
                          remote->origin, remote->type_name);
  if (remote->relays != NULL && remote->relays[0] != NULL && remote->relays[1] != NULL) {
    g_autofree char *way = g_strjoinv (" -> ", (char **) remote->relays);

    g_string_append_printf (text, "\n%*scame by way of %s", (int) indent + 2, "", way);
  }
  if (tractor_error_get_canceller (error) != NULL)
    g_string_append_printf (text, "\n%*scancelled by %s", (int) indent + 2, "",
                            tractor_error_get_canceller (error));
  if (remote->members != NULL)
    describe_members (text, remote->members, indent + 2); /* the text says the same */
  else if (remote->backtrace != NULL)
    append_indented (text, remote->backtrace, indent + 4);
}

char *
tractor_error_describe (const GError *error)
{
  GString *text = g_string_new (NULL);

  g_return_val_if_fail (error != NULL, g_string_free (text, FALSE));

  describe (text, error, 0);
  return g_string_free (text, FALSE);
}
