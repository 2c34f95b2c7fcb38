/* remote-error.c - a failure boxed for the wire, and taken out of the box.
 *
 * The first actor to fail is the origin; every actor that sends the error on, the origin too, adds
 * itself to the relay path, and from the second hop on the box is called RemoteActorError. Domain
 * and code of the original GError ride along, so they can be tested for at the far end.
 *
 * A person in front of a Python actor sees nothing but the traceback. So what we write in its place for
 * one begins with what happened here: domain, code and text, then where. And the other way round, an
 * exception's text is taken out of its traceback.
 *
 * Text from a peer ends up in logs and terminals, so control characters are escaped and its length
 * is cut. A name stays in its line, where it could else begin another that nobody has said. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "remote-error.h"

#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "error-types.h"
#include "escape.h"
#include "plain-words.h"
#include "python-traceback.h"
#include "raise-site.h"
#include "tractor-error.h"

/* --- into the box ------------------------------------------------------------------------------ */

/* What is the same for an error and all its members. */
typedef struct {
  char *self_text;
  gboolean is_to_python;
  const char *where;  /* (nullable): the function that failed */
  guint n_leaves;     /* that may still be written */
  gsize n_text_bytes; /* the same */
  guint depth;
} Boxing;

/* (transfer full): well-formed, and not too long. */
static char *
clean (const char *text, Boxing *boxing)
{
  gsize length = strnlen (text, MIN (LIMIT_ERROR_TEXT_BYTES, boxing->n_text_bytes));

  boxing->n_text_bytes -= length;
  return g_utf8_make_valid (text, (gssize) length);
}

static void write_members (WireBuffer *buffer, const GPtrArray *members, Boxing *boxing);

/* @error comes from another actor: its origin stays, and we add ourselves to its way. */
static void
pass_on (ErrorMsg *error_msg, const GError *error, GPtrArray *relays)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);

  error_msg->src_uid = remote->origin;
  error_msg->src_type = remote->type_name;
  error_msg->boxed_type =
      error->code == TRACTOR_ERROR_CONTEXT_CANCELLED ? "ContextCancelled" : "RemoteActorError";
  error_msg->domain = remote->domain;
  error_msg->code = remote->code;
  for (guint i = 0; remote->relays[i] != NULL && relays->len < LIMIT_RELAYS - 1; i++)
    g_ptr_array_add (relays, (char *) remote->relays[i]);
}

static void
give_birth (ErrorMsg *error_msg, const GError *error, const Boxing *boxing)
{
  error_msg->src_uid = boxing->self_text;
  if (error_msg->src_type == NULL)
    error_msg->src_type = tractor__error_type_get_name (error);
  error_msg->boxed_type = error_msg->src_type;
  error_msg->domain = g_quark_to_string (error->domain);
  error_msg->code = error->code;
}

/* What happened, for a person who sees nothing else of @error. */
static void
append_summary (GString *text, const GError *error, const Boxing *boxing)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  const char *domain = remote != NULL ? remote->domain : g_quark_to_string (error->domain);

  if (domain != NULL)
    g_string_append_printf (text, "%s %d: ", domain, remote != NULL ? remote->code : error->code);
  g_string_append_printf (text, "%s\nfailed first in %s\n", error->message,
                          remote != NULL ? remote->origin : boxing->self_text);
}

/* (transfer full): for a person at the far end. */
static char *
make_backtrace (const GError *error, Boxing *boxing)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  g_autoptr (GString) text = g_string_new (NULL);

  if (boxing->is_to_python && boxing->depth == 0)
    append_summary (text, error, boxing);
  if (remote != NULL) {
    g_string_append (text, remote->backtrace != NULL ? remote->backtrace : "");
  } else if (tractor_error_get_children (error) != NULL && boxing->depth == 0) {
    g_autofree char *description = tractor_error_describe (error);

    g_string_append (text, description);
  } else {
    const char *backtrace = tractor_error_get_backtrace (error);
    g_autofree char *site = tractor__raise_site_describe (error);

    if (boxing->where != NULL)
      g_string_append_printf (text, "in %s(), process %d", boxing->where, (int) getpid ());
    if (backtrace != NULL)
      g_string_append_printf (text, "%s%s", text->len > 0 ? "\n" : "", backtrace);
    if (site != NULL)
      g_string_append_printf (text, "%s%s", text->len > 0 ? "\n" : "", site);
  }
  return clean (text->str, boxing);
}

/* @error_msg: what is particular to this one. */
static void
box (WireBuffer *buffer, ErrorMsg *error_msg, const GError *error, Boxing *boxing)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  const GPtrArray *members = remote != NULL ? remote->members : tractor_error_get_children (error);
  g_autofree char *message = clean (error->message, boxing);
  g_autofree char *backtrace = make_backtrace (error, boxing);
  g_autoptr (GPtrArray) relays = g_ptr_array_new ();
  g_autoptr (WireBuffer) packed = NULL;

  if (remote != NULL)
    pass_on (error_msg, error, relays);
  else
    give_birth (error_msg, error, boxing);
  g_ptr_array_add (relays, boxing->self_text);
  g_ptr_array_add (relays, NULL);
  error_msg->relay_path = (const char *const *) relays->pdata;
  if (error_msg->canceller == NULL)
    error_msg->canceller = tractor_error_get_canceller (error);
  error_msg->message = message;
  error_msg->backtrace = backtrace;
  if (members != NULL && boxing->depth < LIMIT_GROUP_DEPTH) {
    packed = tractor__wire_buffer_new ();
    boxing->depth++;
    write_members (packed, members, boxing);
    boxing->depth--;
    error_msg->members = (WireValue){ packed->data, packed->len };
  }
  if (boxing->depth == 0)
    tractor__msg_write_error (buffer, error_msg);
  else
    tractor__msg_write_error_value (buffer, error_msg);
}

/* Those that are too many are not; the group's own text tells how many there were. */
static void
write_members (WireBuffer *buffer, const GPtrArray *members, Boxing *boxing)
{
  guint n = MIN (members->len, boxing->n_leaves);

  boxing->n_leaves -= n;
  tractor__wire_write_array (buffer, n);
  for (guint i = 0; i < n; i++)
    box (buffer, &(ErrorMsg){ .cid = NULL }, members->pdata[i], boxing);
}

static void
write_error (
    Link *link, WireBuffer *buffer, ErrorMsg *error_msg, const GError *error, const char *where)
{
  g_autofree char *self_text = actor_id_to_string (&link->runtime->id);
  Boxing boxing = { .self_text = self_text,
                    .is_to_python = link->has_peer_aid && !link->is_to_ours,
                    .where = where,
                    .n_leaves = LIMIT_GROUP_LEAVES,
                    .n_text_bytes = LIMIT_GROUP_TEXT_BYTES };

  box (buffer, error_msg, error, &boxing);
}

void
tractor__remote_error_write (Link *link, const char *cid, const GError *error, const char *where)
{
  write_error (link, link->out, &(ErrorMsg){ .cid = cid }, error, where);
}

void
tractor__remote_error_write_as (Link *link,
                                const char *cid,
                                const char *type_name,
                                const GError *error)
{
  write_error (link, link->out, &(ErrorMsg){ .cid = cid, .src_type = type_name }, error, NULL);
}

void
tractor__remote_error_write_overrun (Link *link, const char *cid, const GError *overrun)
{
  g_autofree char *sender_text = actor_id_to_string (&link->peer);

  write_error (link, link->out, &(ErrorMsg){ .cid = cid, .sender = sender_text }, overrun, NULL);
}

void
tractor__remote_error_write_cancelled (Link *link,
                                       WireBuffer *buffer,
                                       const char *cid,
                                       const ActorId *canceller)
{
  g_autofree char *canceller_text = actor_id_to_string (canceller);
  g_autoptr (GError) cancelled = g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED,
                                              "cancelled by %s", canceller_text);

  write_error (
      link, buffer,
      &(ErrorMsg){ .cid = cid, .src_type = "ContextCancelled", .canceller = canceller_text },
      cancelled, NULL);
}

/* --- out of the box ---------------------------------------------------------------------------- */

static GError *read_error (const Msg *msg, const ActorId *peer, guint depth);

static char *
dup_escaped (const Msg *msg, Field field)
{
  gsize length;
  const char *text = tractor__msg_get_string (msg, field, &length);

  return text != NULL ? tractor__escape_part (text, length) : NULL;
}

/* (transfer full): @name as it is, if it can be passed on so. */
static char *
escape_name (const char *name)
{
  return tractor__is_name (name) ? g_strdup (name) : tractor__escape_name (name);
}

/* (transfer full) (nullable): a type or a domain. */
static char *
dup_name (const Msg *msg, Field field)
{
  g_autofree char *name = tractor__msg_dup_string (msg, field);

  return name != NULL ? escape_name (name) : NULL;
}

/* (transfer full): of "name@uuid", each of them. */
static char *
escape_id (const char *text)
{
  const char *at = strrchr (text, '@');
  g_autofree char *name = g_strndup (text, (gsize) (at - text));
  g_autofree char *shown_name = escape_name (name);
  g_autofree char *shown_uuid = escape_name (at + 1);

  return g_strdup_printf ("%s@%s", shown_name, shown_uuid);
}

static char *
dup_id_text (const Msg *msg, Field field)
{
  g_auto (ActorId) id = { 0 };
  g_autofree char *text = NULL;

  if (!tractor__msg_get_id (msg, field, &id))
    return NULL;
  text = actor_id_to_string (&id);
  return escape_id (text);
}

/* (transfer full) (nullable): an error that is above a limit is one all the same, and says at least
 * that. */
static char *
dup_message (const Msg *msg, const char *type_name)
{
  g_autofree char *text = dup_escaped (msg, FIELD_MESSAGE);

  if (msg->left_out.limit == NULL || (text != NULL && text[0] != '\0'))
    return g_steal_pointer (&text);
  return g_strdup_printf ("%s (its text is refused: %s)", type_name, msg->left_out.limit);
}

/* (transfer full) (nullable): what stands behind a group. Members that are not well-formed are left
 * out: they are no more than news of an error. */
static GPtrArray *
read_members (WireValue value, const ActorId *peer, guint depth)
{
  WireReader reader = wire_reader (value);
  GPtrArray *members;
  WireItem array;

  if (value.bytes == NULL || depth > LIMIT_GROUP_DEPTH || !tractor__wire_read (&reader, &array) ||
      array.type != WIRE_ARRAY || array.length == 0)
    return NULL;
  members = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  for (guint32 i = 0; i < MIN (array.length, LIMIT_GROUP_LEAVES); i++) {
    WireValue member;
    Msg msg;

    if (tractor__wire_read_value (&reader, &member) && tractor__msg_read (member, &msg, NULL) &&
        msg.type == MSG_ERROR)
      g_ptr_array_add (members, read_error (&msg, peer, depth));
  }
  return members;
}

/* (transfer full): what a Python actor says, in one line if it is of an ordinary exception. @text:
 * (nullable) */
static char *
describe_exception (const char *text, const char *backtrace, const char *type_name)
{
  g_autofree char *line =
      backtrace != NULL ? tractor__python_traceback_get_line (backtrace, type_name) : NULL;

  if (line != NULL && strcmp (type_name, "ContextCancelled") != 0)
    return g_steal_pointer (&line);
  return g_strchomp (g_strdup (text != NULL && text[0] != '\0' ? text : type_name));
}

/* (transfer full) (nullable): what a peer says in place of words may be a traceback. Then *@backtrace, (nullable), is
 * that if it is nothing yet. */
static char *
dup_words (const Msg *msg, const char *type_name, char **backtrace)
{
  g_autofree char *text = dup_message (msg, type_name);
  g_autofree char *words = text != NULL ? tractor__plain_words (text) : NULL;

  if (g_strcmp0 (words, text) != 0 && (*backtrace == NULL || (*backtrace)[0] == '\0')) {
    g_free (*backtrace);
    *backtrace = g_steal_pointer (&text);
  }
  return g_steal_pointer (&words);
}

/* (transfer full): who failed is said once, where the error is first taken out: further hops of ours
 * leave it as it is. @text: (nullable) */
static char *
make_message (const Msg *msg,
              const ActorId *peer,
              const TractorRemoteError *remote,
              const char *text)
{
  gboolean was_passed_on = tractor__msg_string_equals (msg, FIELD_BOXED_TYPE, "RemoteActorError");
  const char *origin = remote->origin != NULL ? remote->origin : peer->name;
  g_autofree char *said = NULL;

  if (text != NULL && text[0] == '\0')
    text = NULL;
  if (msg->fields[FIELD_DOMAIN].bytes == NULL) { /* from Python */
    said = describe_exception (text, remote->backtrace, remote->type_name);
    return g_strdup_printf ("actor '%.*s': %s", (int) strcspn (origin, "@"), origin, said);
  }
  if (was_passed_on && text != NULL)
    return g_strdup (text);
  return g_strdup_printf ("actor '%s': %s", peer->name, text != NULL ? text : remote->type_name);
}

static GError *
read_error (const Msg *msg, const ActorId *peer, guint depth)
{
  gboolean is_cancelled = tractor__msg_string_equals (msg, FIELD_BOXED_TYPE, "ContextCancelled");
  g_autofree char *domain = dup_name (msg, FIELD_DOMAIN);
  g_autofree char *type_name = dup_name (msg, FIELD_SRC_TYPE);
  g_autofree char *origin = dup_id_text (msg, FIELD_SRC_UID);
  g_autofree char *canceller = dup_id_text (msg, FIELD_CANCELLER);
  g_autofree char *backtrace = dup_escaped (msg, FIELD_BACKTRACE);
  g_autofree char *text = dup_words (msg, type_name, &backtrace);
  g_autofree char *message = NULL;
  g_auto (GStrv) relays = tractor__msg_dup_ids (msg, FIELD_RELAY_PATH);
  g_autoptr (GPtrArray) members = read_members (msg->fields[FIELD_MEMBERS], peer, depth + 1);
  TractorRemoteError remote = {
    .domain = domain,
    .code = (int) tractor__msg_get_integer (msg, FIELD_CODE),
    .type_name = type_name,
    .origin = origin,
    .relays = (const char *const *) relays,
    .backtrace = backtrace != NULL && backtrace[0] != '\0' ? backtrace : NULL,
    .members = members,
  };

  if (remote.domain == NULL) /* from Python */
    tractor__error_type_find (type_name, &remote.domain, &remote.code);
  for (char **relay = relays; *relay != NULL; relay++) {
    char *escaped = escape_id (*relay);

    g_free (*relay);
    *relay = escaped;
  }
  message = make_message (msg, peer, &remote, text);
  return tractor_error_new_remote (is_cancelled ? TRACTOR_ERROR_CONTEXT_CANCELLED
                                                : TRACTOR_ERROR_REMOTE,
                                   &remote, canceller, message);
}

GError *
tractor__remote_error_read (const Msg *msg, const ActorId *peer)
{
  return read_error (msg, peer, 0);
}

gboolean
tractor__remote_error_is_same (const GError *a, const GError *b)
{
  /* Copies of a remote error share what is known of it; a death names the process. */
  if (tractor_error_get_remote (a) != NULL || tractor_error_get_remote (b) != NULL)
    return tractor_error_get_remote (a) == tractor_error_get_remote (b);
  return a->domain == b->domain && a->code == b->code && g_str_equal (a->message, b->message);
}

static gboolean
contains (const GError *error, const GError *part)
{
  const GPtrArray *members = tractor_error_get_children (error);

  if (members == NULL)
    return tractor__remote_error_is_same (error, part);
  for (guint i = 0; i < members->len; i++)
    if (contains (members->pdata[i], part))
      return TRUE;
  return FALSE;
}

gboolean
tractor__remote_error_strip (GError **error, const GError *part)
{
  const GPtrArray *members;
  g_autoptr (GPtrArray) kept = NULL;

  if (*error == NULL || !contains (*error, part))
    return FALSE;

  /* Copies of a group share its members, so it is made anew. */
  members = tractor_error_get_children (*error);
  kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  for (guint i = 0; members != NULL && i < members->len; i++) {
    GError *member = g_error_copy (members->pdata[i]);

    tractor__remote_error_strip (&member, part);
    if (member != NULL)
      g_ptr_array_add (kept, member);
  }
  g_clear_error (error);
  if (kept->len > 0)
    *error = tractor_error_new_group (g_steal_pointer (&kept));
  return TRUE;
}

GError *
tractor__collapse_group (GError *error)
{
  const GPtrArray *members = tractor_error_get_children (error);
  GError *only;

  if (members == NULL || members->len != 1)
    return error;
  only = g_error_copy (members->pdata[0]);
  g_error_free (error);
  return tractor__collapse_group (only);
}
