/* python-root.c - the turns at its terminal that a Python root gives, to the broker of an actor below it.
 *
 * In a tree of Python's the lock is the root's, and this broker, which an actor of ours has started, is the lock of that
 * actor and of those below it: it asks the root for each of its turns, over a connection of its own and in the name of the
 * actor, as Python's actors do for themselves (src/dialog/python-lock.c is the other side):
 *
 *    broker                            root
 *    Aid  <------------------------->  Aid
 *    Start, lock_stdio_for_peer ---->
 *          <------------------------- StartAck, and Started when it is our turn
 *    Yield, a LockRelease; Stop ----->
 *          <------------------------- Return
 *
 * An actor that crashes could say none of this, and one that is looked at neither.
 *
 * A frame is its length in four bytes, and a map. Whatever else comes than what is waited for is left aside; what is no
 * frame, or none that fits, is as good as the end of the connection. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "python-root.h"

#include <arpa/inet.h>
#include <errno.h>
#include <msgpack.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* To connect, and to send a few bytes. */
#define SEND_SECONDS 2
/* For the answer to the last thing that is said. */
#define FINISH_MSEC 1000

#define MODULE   "tractor.devx.debug._tty_lock"
#define FUNCTION "lock_stdio_for_peer"

static PythonRootState state = PYTHON_ROOT_UNUSED;
static const char *root_address, *own_name, *own_uuid;
static char task[64];
static char cid[64];
static unsigned n_asked;
static int connection = -1;

static uint8_t received[65536];
static size_t n_received;

/* --- the connection ---------------------------------------------------------------------------- */

static void
hang_up (PythonRootState to)
{
  if (connection >= 0)
    close (connection);
  connection = -1;
  n_received = 0;
  state = to;
}

/* Of a numeric address. Returns: false if it is none. */
static bool
parse_tcp (const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_length)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *) ret_address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret_address;
  const char *colon = strrchr (text, ':');
  char host[64];
  uint16_t port;

  if (colon == NULL || (size_t) (colon - text) >= sizeof host)
    return false;
  port = htons ((uint16_t) atoi (colon + 1));
  memcpy (host, text, (size_t) (colon - text));
  host[colon - text] = '\0';
  if (host[0] == '[') {
    host[strcspn (host, "]")] = '\0';
    *v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
    *ret_length = sizeof *v6;
    return inet_pton (AF_INET6, host + 1, &v6->sin6_addr) == 1;
  }
  *v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
  *ret_length = sizeof *v4;
  return inet_pton (AF_INET, host, &v4->sin_addr) == 1;
}

static bool
parse_address (struct sockaddr_storage *ret_address, socklen_t *ret_length)
{
  struct sockaddr_un *local = (struct sockaddr_un *) ret_address;

  if (strncmp (root_address, "tcp://", 6) == 0)
    return parse_tcp (root_address + 6, ret_address, ret_length);
  if (strncmp (root_address, "unix:", 5) != 0 ||
      strlen (root_address + 5) >= sizeof local->sun_path)
    return false;
  *local = (struct sockaddr_un){ .sun_family = AF_UNIX };
  strcpy (local->sun_path, root_address + 5);
  *ret_length = sizeof *local;
  return true;
}

static bool
dial (void)
{
  struct timeval patience = { .tv_sec = SEND_SECONDS };
  struct sockaddr_storage address;
  socklen_t length;

  if (!parse_address (&address, &length))
    return false;
  connection = socket (address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return connection >= 0 &&
         setsockopt (connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
         connect (connection, (struct sockaddr *) &address, length) == 0;
}

/* @frame: begins with room for its length. */
static bool
send_frame (msgpack_sbuffer *frame)
{
  size_t n = frame->size - 4;

  for (int i = 0; i < 4; i++)
    frame->data[i] = (char) (n >> (8 * i));
  return send (connection, frame->data, frame->size, MSG_NOSIGNAL) == (ssize_t) frame->size;
}

/* --- what is said ------------------------------------------------------------------------------ */

typedef struct {
  msgpack_sbuffer frame;
  msgpack_packer packer;
} Message;

static void
message_init (Message *message, size_t n_entries)
{
  msgpack_sbuffer_init (&message->frame);
  msgpack_sbuffer_write (&message->frame, "\0\0\0", 4);
  msgpack_packer_init (&message->packer, &message->frame, msgpack_sbuffer_write);
  msgpack_pack_map (&message->packer, n_entries);
}

static bool
message_send (Message *message)
{
  bool ok = send_frame (&message->frame);

  msgpack_sbuffer_destroy (&message->frame);
  return ok;
}

static void
pack_text (Message *message, const char *text)
{
  msgpack_pack_str_with_body (&message->packer, text, strlen (text));
}

static void
pack_entry (Message *message, const char *key, const char *value)
{
  pack_text (message, key);
  pack_text (message, value);
}

static void
pack_own_id (Message *message)
{
  msgpack_pack_array (&message->packer, 2);
  pack_text (message, own_name);
  pack_text (message, own_uuid);
}

static bool
introduce (void)
{
  Message aid;

  message_init (&aid, 6);
  pack_entry (&aid, "msg_type", "Aid");
  pack_entry (&aid, "name", own_name);
  pack_entry (&aid, "uuid", own_uuid);
  pack_text (&aid, "pid");
  msgpack_pack_int (&aid.packer, getpid ());
  pack_text (&aid, "is_registrar");
  msgpack_pack_false (&aid.packer);
  pack_text (&aid, "is_probe");
  msgpack_pack_false (&aid.packer);
  return message_send (&aid);
}

static bool
start (void)
{
  Message start;

  message_init (&start, 7);
  pack_entry (&start, "msg_type", "Start");
  pack_entry (&start, "cid", cid);
  pack_entry (&start, "ns", MODULE);
  pack_entry (&start, "func", FUNCTION);
  pack_text (&start, "kwargs");
  msgpack_pack_map (&start.packer, 1);
  pack_text (&start, "subactor_task_uid");
  msgpack_pack_array (&start.packer, 2);
  pack_text (&start, task);
  msgpack_pack_unsigned_int (&start.packer, n_asked);
  pack_text (&start, "uid");
  pack_own_id (&start);
  pack_entry (&start, "pld_spec", "typing.Any");
  return message_send (&start);
}

static bool
release (void)
{
  Message release, stop;
  bool ok;

  message_init (&release, 3);
  pack_entry (&release, "msg_type", "Yield");
  pack_entry (&release, "cid", cid);
  pack_text (&release, "pld");
  msgpack_pack_map (&release.packer, 3);
  pack_entry (&release, "msg_type", "LockRelease");
  pack_text (&release, "subactor_uid");
  pack_own_id (&release);
  pack_entry (&release, "cid", cid);
  message_init (&stop, 2);
  pack_entry (&stop, "msg_type", "Stop");
  pack_entry (&stop, "cid", cid);
  ok = message_send (&release);
  return message_send (&stop) && ok;
}

/* --- what comes -------------------------------------------------------------------------------- */

static bool
is_text (const msgpack_object *value, const char *text)
{
  return value != NULL && value->type == MSGPACK_OBJECT_STR &&
         value->via.str.size == strlen (text) &&
         memcmp (value->via.str.ptr, text, value->via.str.size) == 0;
}

/* (nullable): of @map, which need be none and may be NULL, by its key */
static const msgpack_object *
find (const msgpack_object *map, const char *key)
{
  if (map == NULL || map->type != MSGPACK_OBJECT_MAP)
    return NULL;
  for (uint32_t i = 0; i < map->via.map.size; i++)
    if (is_text (&map->via.map.ptr[i].key, key))
      return &map->via.map.ptr[i].val;
  return NULL;
}

static bool
is_true (const msgpack_object *value)
{
  return value != NULL && value->type == MSGPACK_OBJECT_BOOLEAN && value->via.boolean;
}

static void
take_message (const msgpack_object *message)
{
  const msgpack_object *type = find (message, "msg_type");

  if (type == NULL) {
    hang_up (PYTHON_ROOT_REFUSES);
    return;
  }
  if (is_text (type, "Aid")) {
    if (!start ())
      hang_up (PYTHON_ROOT_REFUSES);
    return;
  }
  if (!is_text (find (message, "cid"), cid))
    return;
  if (is_text (type, "Started") && state == PYTHON_ROOT_ASKED &&
      is_true (find (find (message, "pld"), "locked")))
    state = PYTHON_ROOT_GIVES;
  else if (!is_text (type, "StartAck") && !is_text (type, "Stop"))
    hang_up (state == PYTHON_ROOT_RETURNING ? PYTHON_ROOT_IDLE : PYTHON_ROOT_REFUSES);
}

static void
take_bytes (const uint8_t *bytes, size_t n)
{
  msgpack_unpacked unpacked;

  msgpack_unpacked_init (&unpacked);
  if (msgpack_unpack_next (&unpacked, (const char *) bytes, n, NULL) == MSGPACK_UNPACK_SUCCESS)
    take_message (&unpacked.data);
  else
    hang_up (PYTHON_ROOT_REFUSES);
  msgpack_unpacked_destroy (&unpacked);
}

/* Returns: false if there is no whole frame. */
static bool
take_frame (void)
{
  size_t n = 0;

  if (n_received < 4)
    return false;
  for (int i = 3; i >= 0; i--)
    n = n << 8 | received[i];
  if (n > sizeof received - 4) {
    hang_up (PYTHON_ROOT_REFUSES);
    return false;
  }
  if (n_received < 4 + n)
    return false;
  take_bytes (received + 4, n);
  if (connection < 0)
    return false;
  n_received -= 4 + n;
  memmove (received, received + 4 + n, n_received);
  return true;
}

void
python_root_on_readable (void)
{
  ssize_t n = recv (connection, received + n_received, sizeof received - n_received, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    hang_up (state == PYTHON_ROOT_RETURNING ? PYTHON_ROOT_IDLE : PYTHON_ROOT_REFUSES);
    return;
  }
  n_received += (size_t) n;
  while (take_frame ())
    ;
}

/* --- turns ------------------------------------------------------------------------------------- */

void
python_root_use (const char *address, const char *name, const char *uuid)
{
  root_address = address;
  own_name = name;
  own_uuid = uuid;
  state = PYTHON_ROOT_IDLE;
}

PythonRootState
python_root_get_state (void)
{
  return state;
}

int
python_root_get_fd (void)
{
  return connection;
}

void
python_root_ask (const char *of)
{
  snprintf (task, sizeof task, "%s", of[0] != '\0' ? of : "thread");
  snprintf (cid, sizeof cid, "debugger-%d-%u", (int) getpid (), ++n_asked);
  state = PYTHON_ROOT_ASKED;
  if (!dial () || !introduce ())
    hang_up (PYTHON_ROOT_REFUSES);
}

void
python_root_give_back (void)
{
  if (state == PYTHON_ROOT_ASKED)
    hang_up (PYTHON_ROOT_IDLE);
  else if (state == PYTHON_ROOT_GIVES && release ())
    state = PYTHON_ROOT_RETURNING;
  else if (state == PYTHON_ROOT_GIVES)
    hang_up (PYTHON_ROOT_IDLE);
}

void
python_root_forget (void)
{
  if (state == PYTHON_ROOT_REFUSES)
    state = PYTHON_ROOT_IDLE;
}

void
python_root_finish (void)
{
  struct pollfd pollfd = { .fd = connection, .events = POLLIN };

  while (state == PYTHON_ROOT_RETURNING && poll (&pollfd, 1, FINISH_MSEC) > 0)
    python_root_on_readable ();
}
