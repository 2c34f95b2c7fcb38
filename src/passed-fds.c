/* passed-fds.c - descriptors that travel with messages.
 *
 * In a payload a descriptor is a mark: an extension whose bytes say which. The descriptor itself goes
 * by SCM_RIGHTS, with some byte of its message or one before that; so when a message is whole, what it
 * has marks for has arrived, and in the order of the marks. Then each waits under its mark until
 * somebody takes it, at most so many and so long as the connection lasts; of more, the oldest are
 * closed.
 *
 * Two kinds of marks never meet. What tractor_value_new_fd() makes holds a secret of this process and
 * the number of the descriptor, and is replaced when it is sent: so nobody outside can make a value that
 * would send one of ours on. What is on the wire is only a number that is unlike others on the same
 * connection.
 *
 * A peer may send descriptors without marks, marks without descriptors, or too many of either. The
 * first are bounded and closed, the second cannot be taken, and the third close the connection. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "passed-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stdio-fd.h"
#include "tractor-error.h"

typedef union {
  struct cmsghdr header;
  char room[CMSG_SPACE (LIMIT_FDS_OF_MESSAGE * sizeof (int))];
} Control;

/* --- marks of our own ---------------------------------------------------------------------------- */

#define SECRET_BYTES (FD_MARK_BYTES - sizeof (gint32))

static const guint8 *
get_secret (void)
{
  static guint8 secret[SECRET_BYTES];
  static gsize is_made;

  if (g_once_init_enter (&is_made)) {
    for (gsize i = 0; i < SECRET_BYTES; i += sizeof (guint32))
      memcpy (secret + i, &(guint32){ g_random_int () }, sizeof (guint32));
    g_once_init_leave (&is_made, 1);
  }
  return secret;
}

void
tractor__fd_mark_make (int fd, guint8 mark[FD_MARK_BYTES])
{
  memcpy (mark, get_secret (), SECRET_BYTES);
  memcpy (mark + SECRET_BYTES, &(gint32){ fd }, sizeof (gint32));
}

int
tractor__fd_mark_get (const guint8 *mark)
{
  gint32 fd = -1;

  if (memcmp (mark, get_secret (), SECRET_BYTES) == 0)
    memcpy (&fd, mark + SECRET_BYTES, sizeof fd);
  return fd;
}

/* --- sending ------------------------------------------------------------------------------------- */

/* One that is to go along with the bytes of a buffer, not after the one at @at. */
typedef struct {
  guint at;
  int fd; /* ours */
} OutgoingFd;

static OutgoingFd *
get_outgoing (const WireBuffer *buffer, guint i)
{
  return &g_array_index (buffer->fds, OutgoingFd, i);
}

gboolean
tractor__fds_append (WireBuffer *buffer, int fd, GError **error)
{
  static gsize last_number;
  guint8 mark[FD_MARK_BYTES] = { 0 };
  OutgoingFd outgoing = { buffer->len, -1 };

  if (!buffer->takes_fds) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                         "A descriptor can only be sent over a Unix socket, to an actor of this "
                         "library");
    return FALSE;
  }
  outgoing.fd = fcntl (fd, F_DUPFD_CLOEXEC, 3);
  if (outgoing.fd < 0) {
    int saved_errno = errno;

    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved_errno),
                 "Descriptor %d cannot be sent: %s", fd, g_strerror (saved_errno));
    return FALSE;
  }
  if (buffer->fds == NULL)
    buffer->fds = g_array_new (FALSE, FALSE, sizeof (OutgoingFd));
  g_array_append_val (buffer->fds, outgoing);

  memcpy (mark, &(gsize){ (gsize) g_atomic_pointer_add (&last_number, 1) }, sizeof last_number);
  wire_append_literal (buffer, "\xd8\x9c"); /* fixext 16, FD_EXT_CODE */
  G_STATIC_ASSERT ((guint8) FD_EXT_CODE == 0x9c);
  wire_append (buffer, mark, sizeof mark);
  return TRUE;
}

void
tractor__wire_buffer_drop_fds (WireBuffer *buffer, guint length)
{
  while (buffer->fds->len > 0 && get_outgoing (buffer, buffer->fds->len - 1)->at >= length) {
    close (get_outgoing (buffer, buffer->fds->len - 1)->fd);
    g_array_set_size (buffer->fds, buffer->fds->len - 1);
  }
  if (buffer->fds->len == 0)
    g_clear_pointer (&buffer->fds, g_array_unref);
}

/* Returns: how many go along with @frames, which ends before one that does not. */
static guint
choose_outgoing (const WireBuffer *buffer, gsize sent, struct iovec *frames)
{
  guint n = 0;

  while (n < buffer->fds->len && get_outgoing (buffer, n)->at < sent + frames->iov_len)
    n++;
  if (n <= LIMIT_FDS_OF_MESSAGE)
    return n;
  frames->iov_len = get_outgoing (buffer, LIMIT_FDS_OF_MESSAGE)->at - sent;
  return LIMIT_FDS_OF_MESSAGE;
}

gssize
tractor__fds_send (
    int fd, WireBuffer *buffer, gsize sent, struct iovec *parts, int n_parts, struct iovec *frames)
{
  Control control = { 0 };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = (gsize) n_parts };
  guint n = choose_outgoing (buffer, sent, frames);
  gssize n_bytes;

  if (n > 0) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE (n * sizeof (int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN (n * sizeof (int));
    for (guint i = 0; i < n; i++)
      memcpy (CMSG_DATA (&control.header) + i * sizeof (int), &get_outgoing (buffer, i)->fd,
              sizeof (int));
  }
  n_bytes = sendmsg (fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n_bytes <= 0)
    return n_bytes;
  for (guint i = 0; i < n; i++) /* with the first byte, however few have gone */
    close (get_outgoing (buffer, i)->fd);
  g_array_remove_range (buffer->fds, 0, n);
  return n_bytes;
}

/* --- receiving ----------------------------------------------------------------------------------- */

/* Returns: FALSE if there is no room for it; then it is closed. */
static gboolean
arrive (FdInbox *inbox, int fd)
{
  if (keep_off_stdio (&fd) == 0 && inbox->n_arrived < G_N_ELEMENTS (inbox->arrived)) {
    inbox->arrived[inbox->n_arrived++] = fd;
    return TRUE;
  }
  close (fd);
  return FALSE;
}

/* Every one is looked at, whatever befalls those before. */
static gboolean
take_rights (FdInbox *inbox, struct msghdr *message)
{
  gboolean ok = (message->msg_flags & MSG_CTRUNC) == 0;

  for (struct cmsghdr *header = CMSG_FIRSTHDR (message); header != NULL;
       header = CMSG_NXTHDR (message, header)) {
    gsize n = (header->cmsg_len - CMSG_LEN (0)) / sizeof (int);

    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    for (gsize i = 0; i < n; i++) {
      int fd;

      memcpy (&fd, CMSG_DATA (header) + i * sizeof (int), sizeof fd);
      ok = arrive (inbox, fd) && ok;
    }
  }
  return ok;
}

gssize
tractor__fds_receive (FdInbox *inbox, int fd, guint8 *at, gsize room)
{
  Control control;
  struct iovec part = { at, room };
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  gssize n = recvmsg (fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

  if (n < 0 || take_rights (inbox, &message))
    return n;
  tractor__fds_clear (inbox);
  errno = EBADMSG;
  return -1;
}

/* @mark: that of one which has arrived. */
static gboolean
claim (FdInbox *inbox, const guint8 *mark, GError **error)
{
  PassedFd passed = { .fd = inbox->arrived[0] };

  memcpy (passed.mark, mark, FD_MARK_BYTES);
  if (inbox->waiting == NULL)
    inbox->waiting = g_array_new (FALSE, FALSE, sizeof (PassedFd));
  for (guint i = 0; i < inbox->waiting->len; i++)
    if (memcmp (g_array_index (inbox->waiting, PassedFd, i).mark, mark, FD_MARK_BYTES) == 0) {
      g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL,
                           "two descriptors with the same mark");
      return FALSE;
    }
  if (inbox->waiting->len >= LIMIT_WAITING_FDS) {
    close (g_array_index (inbox->waiting, PassedFd, 0).fd);
    g_array_remove_index (inbox->waiting, 0);
  }
  g_array_append_val (inbox->waiting, passed);
  memmove (inbox->arrived, inbox->arrived + 1, --inbox->n_arrived * sizeof (int));
  return TRUE;
}

gboolean
tractor__fds_claim (FdInbox *inbox, WireValue body, GError **error)
{
  WireReader reader = { body.bytes, body.bytes + body.length };
  WireItem item;

  while (inbox->n_arrived > 0 && reader.at < reader.end && tractor__wire_read (&reader, &item))
    if (item.type == WIRE_EXTENSION && item.length == 1 + FD_MARK_BYTES &&
        (gint8) item.bytes[0] == FD_EXT_CODE && !claim (inbox, item.bytes + 1, error))
      return FALSE;
  return TRUE;
}

int
tractor__fds_take (FdInbox *inbox, const guint8 *mark)
{
  for (guint i = 0; inbox->waiting != NULL && i < inbox->waiting->len; i++) {
    PassedFd *passed = &g_array_index (inbox->waiting, PassedFd, i);
    int fd = passed->fd;

    if (memcmp (passed->mark, mark, FD_MARK_BYTES) != 0)
      continue;
    g_array_remove_index (inbox->waiting, i);
    return fd;
  }
  return -1;
}

void
tractor__fds_clear (FdInbox *inbox)
{
  for (guint i = 0; i < inbox->n_arrived; i++)
    close (inbox->arrived[i]);
  for (guint i = 0; inbox->waiting != NULL && i < inbox->waiting->len; i++)
    close (g_array_index (inbox->waiting, PassedFd, i).fd);
  g_clear_pointer (&inbox->waiting, g_array_unref);
  inbox->n_arrived = 0;
}
