/* strangers.h - a peer that is a bare socket: it says whatever the test wants, byte by byte. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "actors.h"

#define STRANGER_ID "('stranger', 'u-1')"

/* Parts of what it says. */
#define START     "{'msg_type': <'Start'>, 'cid': <'1'>, "
#define CALL_ECHO "'ns': <'test'>, 'func': <'echo'>, "
#define NO_KWARGS "'kwargs': <@a{sv} {}>, "
#define UID       "'uid': <" STRANGER_ID ">"
#define CANCEL(cid)                                                                                \
  "{'msg_type': <'Start'>, 'cid': <'c'>, 'ns': <'self'>, 'func': <'_cancel_task'>,"                \
  " 'kwargs': <{'cid': <'" cid "'>}>, " UID "}"
#define AID "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>}"

typedef struct {
  int fd;
  GByteArray *in;
} Stranger;

static inline int
stranger_socket (const char *address, gboolean listens)
{
  int fd = raw_socket (address, listens);

  fcntl (fd, F_SETFL, O_NONBLOCK);
  return fd;
}

/* --- msgpack ---------------------------------------------------------------------------------------- */

static inline void
pack_head (GByteArray *out, guint8 fix, guint32 fix_max, guint8 wide, gsize length)
{
  guint8 head[5] = { wide, (guint8) (length >> 24), (guint8) (length >> 16), (guint8) (length >> 8),
                     (guint8) length };
  guint8 small = (guint8) (fix | length);

  if (length <= fix_max)
    g_byte_array_append (out, &small, 1);
  else
    g_byte_array_append (out, head, 5);
}

/* Strings, integers, booleans, variants, "nothing", arrays and tuples, a{sv}. */
static inline void
pack_value (GByteArray *out, GVariant *value)
{
  gsize n = g_variant_is_container (value) ? g_variant_n_children (value) : 0;

  switch (g_variant_classify (value)) {
  case G_VARIANT_CLASS_STRING: {
    gsize length;
    const char *text = g_variant_get_string (value, &length);

    pack_head (out, 0xa0, 31, 0xdb, length);
    g_byte_array_append (out, (const guint8 *) text, (guint) length);
    return;
  }
  case G_VARIANT_CLASS_INT32: {
    guint32 bits = (guint32) g_variant_get_int32 (value);
    guint8 bytes[5] = { 0xd2, (guint8) (bits >> 24), (guint8) (bits >> 16), (guint8) (bits >> 8),
                        (guint8) bits };

    g_byte_array_append (out, bytes, 5);
    return;
  }
  case G_VARIANT_CLASS_INT64: {
    guint64 bits = GUINT64_TO_BE ((guint64) g_variant_get_int64 (value));

    g_byte_array_append (out, (const guint8 *) "\xd3", 1);
    g_byte_array_append (out, (const guint8 *) &bits, 8);
    return;
  }
  case G_VARIANT_CLASS_BOOLEAN:
    g_byte_array_append (out, (const guint8 *) (g_variant_get_boolean (value) ? "\xc3" : "\xc2"),
                         1);
    return;
  case G_VARIANT_CLASS_MAYBE:
    g_byte_array_append (out, (const guint8 *) "\xc0", 1);
    return;
  case G_VARIANT_CLASS_DICT_ENTRY:
  case G_VARIANT_CLASS_VARIANT:
    break;
  case G_VARIANT_CLASS_ARRAY:
    if (g_variant_is_of_type (value, G_VARIANT_TYPE_DICTIONARY)) {
      pack_head (out, 0x80, 15, 0xdf, n);
      break;
    }
    /* fall through */
  default:
    pack_head (out, 0x90, 15, 0xdd, n);
  }
  for (gsize i = 0; i < n; i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

    pack_value (out, child);
  }
}

/* Appends a frame with these bytes. */
static inline void
add_frame (GByteArray *out, const void *body, gsize length)
{
  guint32 prefix = GUINT32_TO_LE ((guint32) length);

  g_byte_array_append (out, (const guint8 *) &prefix, 4);
  g_byte_array_append (out, body, (guint) length);
}

/* Appends a frame with what stands in @text, in GVariant's notation. */
static inline void
add_message (GByteArray *out, const char *text)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_parsed (text));
  g_autoptr (GByteArray) body = g_byte_array_new ();

  pack_value (body, value);
  add_frame (out, body->data, body->len);
}

/* --- whom it talks to -------------------------------------------------------------------------------- */

/* The actor is this process. */
static inline TractorRuntime *
serve_at (const char *registry, const TractorModule *modules)
{
  const char *registries[] = { registry, NULL };
  GError *error = NULL;
  TractorRuntime *runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, &error);

  g_assert_no_error (error);
  return runtime;
}

/* --- talking ------------------------------------------------------------------------------------------ */

/* Returns: FALSE if the other end has closed it. Fails the test when that is not for a long time. */
static inline gboolean
stranger_send (Stranger *stranger, const void *bytes, gsize length)
{
  while (length > 0) {
    gssize n = send (stranger->fd, bytes, length, MSG_NOSIGNAL);

    if (n < 0 && errno == EAGAIN) {
      g_assert_true (tractor_wait_fd (stranger->fd, G_IO_OUT, NULL, NULL));
    } else if (n < 0) {
      return FALSE;
    } else {
      bytes = (const guint8 *) bytes + n;
      length -= (gsize) n;
    }
  }
  return TRUE;
}

static inline gboolean
stranger_say (Stranger *stranger, const char *text)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  add_message (frame, text);
  return stranger_send (stranger, frame->data, frame->len);
}

/* Returns: (transfer full) (nullable): the next message; NULL when the connection has ended. What takes
 * longer than a second is a failure. */
static inline GBytes *
stranger_hear (Stranger *stranger)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + SECOND * harness_get_slowness ());
  guint8 bytes[4096];

  for (;;) {
    guint32 length;
    gssize n;

    if (stranger->in->len >= 4) {
      memcpy (&length, stranger->in->data, 4);
      length = GUINT32_FROM_LE (length);
      if (stranger->in->len >= 4 + length) {
        GBytes *body = g_bytes_new (stranger->in->data + 4, length);

        g_byte_array_remove_range (stranger->in, 0, 4 + length);
        return body;
      }
    }
    n = recv (stranger->fd, bytes, sizeof bytes, 0);
    if (n > 0)
      g_byte_array_append (stranger->in, bytes, (guint) n);
    else if (n == 0 || errno != EAGAIN)
      return NULL;
    else if (!tractor_wait_fd (stranger->fd, G_IO_IN, NULL, NULL))
      g_error ("nothing was said for a second");
  }
}

static inline gboolean
bytes_contain (GBytes *bytes, const char *text)
{
  gsize length;
  const void *data = g_bytes_get_data (bytes, &length);

  return memmem (data, length, text, strlen (text)) != NULL;
}

/* The text that follows a key. (transfer full) (nullable) */
static inline char *
bytes_find (GBytes *bytes, const char *key)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);
  const guint8 *at = memmem (data, length, key, strlen (key));

  if (at == NULL)
    return NULL;
  at += strlen (key);
  return *at == 0xd9 ? g_strndup ((const char *) at + 2, at[1])
                     : g_strndup ((const char *) at + 1, *at & 0x1f);
}

static inline void
stranger_expect (Stranger *stranger, const char *type, const char *also)
{
  g_autoptr (GBytes) body = stranger_hear (stranger);
  g_autofree char *heard = NULL;

  g_assert_nonnull (body);
  heard = bytes_find (body, "\xa8msg_type");
  g_assert_cmpstr (heard, ==, type);
  if (also != NULL)
    g_assert_true (bytes_contain (body, also));
}

/* That the connection ends, whatever is said before. */
static inline void
stranger_expect_end (Stranger *stranger)
{
  GBytes *body;

  while ((body = stranger_hear (stranger)) != NULL)
    g_bytes_unref (body);
}

/* Both ends say who they are. */
static inline void
stranger_introduce (Stranger *stranger)
{
  g_assert_true (stranger_say (stranger, AID));
  stranger_expect (stranger, "Aid", NULL);
}

/* Connected, and nothing said. */
static inline Stranger
stranger_connect (const char *address)
{
  return (Stranger){ stranger_socket (address, FALSE), g_byte_array_new () };
}

/* One that came to @listener, and has said nothing. */
static inline Stranger
stranger_accept (int listener)
{
  return (Stranger){ accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK),
                     g_byte_array_new () };
}

static inline Stranger
stranger_open (const char *address)
{
  Stranger stranger = stranger_connect (address);

  stranger_introduce (&stranger);
  return stranger;
}

/* @also: what it says of itself besides. */
static inline Stranger
stranger_open_with (const char *address, const char *also)
{
  Stranger stranger = stranger_connect (address);
  g_autofree char *aid =
      g_strdup_printf ("{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>, %s}", also);

  g_assert_true (stranger_say (&stranger, aid));
  stranger_expect (&stranger, "Aid", NULL);
  return stranger;
}

static inline void
stranger_close (Stranger *stranger)
{
  close (stranger->fd);
  g_byte_array_unref (stranger->in);
}

/* Close resets the connection, where its transport can. */
static inline void
stranger_reset (Stranger *stranger)
{
  struct linger linger = { .l_onoff = 1 };

  setsockopt (stranger->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  stranger_close (stranger);
}

/* Lets the actor read all that was sent. */
static inline void
let_it_read (Stranger *stranger)
{
  int n_unread = 1;

  while (n_unread > 0) {
    g_assert_true (tractor_checkpoint (NULL));
    g_assert_cmpint (ioctl (stranger->fd, TIOCOUTQ, &n_unread), ==, 0);
  }
  g_assert_true (tractor_checkpoint (NULL));
}

/* That calls on it work. */
static inline void
stranger_call (Stranger *stranger)
{
  g_assert_true (stranger_say (
      stranger, "{'msg_type': <'Start'>, 'cid': <'ok'>, 'ns': <'test'>, 'func': <'echo'>,"
                " 'kwargs': <{'value': <'fine'>}>, 'uid': <" STRANGER_ID ">}"));
  stranger_expect (stranger, "StartAck", "\xa2ok");
  stranger_expect (stranger, "Return",
                   "\xa4"
                   "fine");
}
