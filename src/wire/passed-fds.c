/* passed-fds.c - descriptors that travel with messages.
 *
 * In a payload a descriptor is a mark: an extension whose bytes say which. The descriptor itself goes
 * by SCM_RIGHTS. Those of one or more whole frames go together, as a batch, with the first byte of the
 * first of these frames; a mark has the number of its batch on the connection, its place in it, and how
 * many are in it, which is filled in when it is sent. So the receiver knows which descriptor belongs to
 * which mark also where some have not come: the kernel drops those that it finds no free number for,
 * and does not say how many.
 *
 * A message that is whole takes what it has marks for, and nothing else ever leads to these: what of
 * them nobody makes a value of (value-fd.c) is closed with the message. Of the batches the last two are
 * kept: the frames of one before that have been dealt with, since no byte of a batch's frames is sent
 * before all of the frames of the last.
 *
 * What has come and has not been taken is counted for the whole process, and what is beyond a share of
 * RLIMIT_NOFILE is lost, as where the kernel has none left: an error of its message, and of no other.
 * Before a peer has introduced itself, nothing is taken along at all.
 *
 * A peer may send descriptors without marks, marks without descriptors, or wrong ones. The first are
 * bounded and closed, the others lead to nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "passed-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "stdio-fd.h"
#include "tractor-error.h"

typedef union {
  struct cmsghdr header;
  char room[CMSG_SPACE (LIMIT_FDS_OF_MESSAGE * sizeof (int))];
} Control;

/* A mark on the wire. */
typedef struct {
  guint64 batch; /* from 1 on, little-endian as all of a frame's own; 0: not sent yet */
  guint8 index;
  guint8 n;
  guint8 zero[6];
} Mark;

G_STATIC_ASSERT (sizeof (Mark) == FD_MARK_BYTES);

/* --- sending ------------------------------------------------------------------------------------- */

gboolean
tractor__fds_append (WireBuffer *buffer, int fd, GError **error)
{
  OutgoingFd outgoing = { buffer->frame_start, buffer->len + 2, -1 };

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

  wire_append_literal (buffer, "\xd8\x9c"); /* fixext 16, FD_EXT_CODE */
  G_STATIC_ASSERT ((guint8) FD_EXT_CODE == 0x9c);
  wire_append (buffer, &(Mark){ 0 }, sizeof (Mark));
  return TRUE;
}

/* Shortens @frames to what goes in one piece: up to the first frame with descriptors, or from there on as
 * many frames as have no more than may go along. Returns: how many these are. */
static guint
choose_batch (const WireBuffer *buffer, gsize sent, struct iovec *frames)
{
  gsize end = sent + frames->iov_len;
  guint n = 0;

  while (n < buffer->fds->len && wire_get_fd (buffer, n)->frame < end) {
    guint frame = wire_get_fd (buffer, n)->frame;
    guint n_with_frame = n;

    while (n_with_frame < buffer->fds->len && wire_get_fd (buffer, n_with_frame)->frame == frame)
      n_with_frame++;
    if (wire_get_fd (buffer, 0)->frame > sent || n_with_frame > LIMIT_FDS_OF_MESSAGE) {
      frames->iov_len = frame - sent;
      return n;
    }
    n = n_with_frame;
  }
  return n;
}

static void
fill_in (WireBuffer *buffer, guint64 batch, guint n, Control *control)
{
  control->header = (struct cmsghdr){ CMSG_LEN (n * sizeof (int)), SOL_SOCKET, SCM_RIGHTS };
  for (guint i = 0; i < n; i++) {
    const OutgoingFd *outgoing = wire_get_fd (buffer, i);
    Mark mark = { GUINT64_TO_LE (batch), (guint8) i, (guint8) n, { 0 } };

    memcpy (buffer->data + outgoing->at, &mark, sizeof mark);
    memcpy (CMSG_DATA (&control->header) + i * sizeof (int), &outgoing->fd, sizeof (int));
  }
}

gssize
tractor__fds_send (int fd,
                   guint64 *n_batches,
                   WireBuffer *buffer,
                   gsize sent,
                   struct iovec *parts,
                   int n_parts,
                   struct iovec *frames)
{
  Control control = { 0 };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = (gsize) n_parts };
  guint n = choose_batch (buffer, sent, frames);
  gssize n_bytes;

  if (n > 0) {
    fill_in (buffer, *n_batches + 1, n, &control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE (n * sizeof (int));
  }
  n_bytes = sendmsg (fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n_bytes <= 0 || n == 0)
    return n_bytes;
  ++*n_batches;
  for (guint i = 0; i < n; i++) /* with the first byte, however few have gone */
    close (wire_get_fd (buffer, i)->fd);
  g_array_remove_range (buffer->fds, 0, n);
  return n_bytes;
}

static gboolean
is_mark (const WireItem *item)
{
  return item->type == WIRE_EXTENSION && fd_mark_is_at (item->bytes, item->length);
}

gboolean
tractor__fds_are_marked (WireValue value)
{
  WireReader reader = wire_reader (value);
  WireItem item;

  if (memmem (value.bytes, value.length, "\xd8\x9c", 2) == NULL) /* nearly always */
    return FALSE;
  while (reader.at < reader.end && tractor__wire_read (&reader, &item))
    if (is_mark (&item))
      return TRUE;
  return FALSE;
}

/* --- what the process holds ------------------------------------------------------------------------ */

static int n_held;

/* One for each four that may be open, so that the rest of the program still finds some. */
static gboolean
hold_one (void)
{
  struct rlimit limit = { 1024, 1024 };
  int most;

  getrlimit (RLIMIT_NOFILE, &limit);
  most = (int) CLAMP (limit.rlim_cur / 4, LIMIT_FDS_OF_MESSAGE, LIMIT_HELD_FDS);
  if (g_atomic_int_add (&n_held, 1) < most)
    return TRUE;
  g_atomic_int_add (&n_held, -1);
  return FALSE;
}

void
tractor__fd_let_go (void)
{
  g_atomic_int_add (&n_held, -1);
}

void
tractor__fd_close (int fd)
{
  close (fd);
  tractor__fd_let_go ();
}

/* --- receiving ----------------------------------------------------------------------------------- */

struct _FdBatch {
  guint64 number;
  guint n_claimed;
  guint n;
  int fds
      [LIMIT_FDS_OF_MESSAGE]; /* what came; FD_IS_LOST or, when it has been claimed, FD_IS_UNKNOWN */
};

static void
batch_free (FdBatch *batch)
{
  if (batch == NULL)
    return;
  for (guint i = 0; i < batch->n; i++)
    if (batch->fds[i] >= 0)
      tractor__fd_close (batch->fds[i]);
  g_free (batch);
}

void
tractor__fd_inbox_clear (FdInbox *inbox)
{
  for (guint i = 0; i < G_N_ELEMENTS (inbox->batches); i++)
    g_clear_pointer (&inbox->batches[i], batch_free);
}

static FdBatch **
get_place (FdInbox *inbox, guint64 number)
{
  return &inbox->batches[number % G_N_ELEMENTS (inbox->batches)];
}

static void
arrive (FdBatch *batch, int fd)
{
  if (keep_off_stdio (&fd) == 0 && hold_one ()) {
    batch->fds[batch->n++] = fd;
    return;
  }
  close (fd);
  batch->fds[batch->n++] = FD_IS_LOST;
}

/* Every one is looked at: the kernel gives no more than there is room for in a Control. */
static void
take_rights (FdBatch *batch, struct msghdr *message)
{
  for (struct cmsghdr *header = CMSG_FIRSTHDR (message); header != NULL;
       header = CMSG_NXTHDR (message, header)) {
    gsize n = (header->cmsg_len - CMSG_LEN (0)) / sizeof (int);

    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    for (gsize i = 0; i < n && batch->n < LIMIT_FDS_OF_MESSAGE; i++) {
      int fd;

      memcpy (&fd, CMSG_DATA (header) + i * sizeof (int), sizeof fd);
      arrive (batch, fd);
    }
  }
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
  gboolean is_cut = n > 0 && (message.msg_flags & MSG_CTRUNC) != 0;
  FdBatch **place;

  if (n <= 0 || (!is_cut && message.msg_controllen == 0))
    return n;
  place = get_place (inbox, ++inbox->n_batches);
  batch_free (*place);
  *place = g_new0 (FdBatch, 1);
  (*place)->number = inbox->n_batches;
  take_rights (*place, &message);
  if (!is_cut || (*place)->n < LIMIT_FDS_OF_MESSAGE)
    return n;
  tractor__fd_inbox_clear (inbox); /* all that may come has, and there were more */
  errno = EBADMSG;
  return -1;
}

/* --- what a message came with ---------------------------------------------------------------------- */

struct _PassedFds {
  guint n;
  struct {
    guint8 mark[FD_MARK_BYTES];
    int fd; /* or one of the two */
  } fds[LIMIT_FDS_OF_MESSAGE];
};

static int
claim (FdInbox *inbox, const guint8 *bytes)
{
  FdBatch **place;
  Mark mark;
  int fd = FD_IS_LOST;

  memcpy (&mark, bytes, sizeof mark);
  place = get_place (inbox, GUINT64_FROM_LE (mark.batch));
  if (*place == NULL || (*place)->number != GUINT64_FROM_LE (mark.batch) || mark.index >= mark.n)
    return FD_IS_UNKNOWN;
  if (mark.index < (*place)->n) {
    fd = (*place)->fds[mark.index];
    (*place)->fds[mark.index] = FD_IS_UNKNOWN;
  }
  if (++(*place)->n_claimed >= mark.n)
    g_clear_pointer (place, batch_free);
  return fd;
}

PassedFds *
tractor__fds_claim (FdInbox *inbox, WireValue body)
{
  WireReader reader = wire_reader (body);
  PassedFds *fds = NULL;
  WireItem item;

  while (!fd_inbox_is_empty (inbox) && reader.at < reader.end &&
         tractor__wire_read (&reader, &item)) {
    if (!is_mark (&item))
      continue;
    if (fds == NULL)
      fds = g_rc_box_new0 (PassedFds);
    if (fds->n == LIMIT_FDS_OF_MESSAGE)
      break;
    memcpy (fds->fds[fds->n].mark, item.bytes + 1, FD_MARK_BYTES);
    fds->fds[fds->n++].fd = claim (inbox, item.bytes + 1);
  }
  return fds;
}

PassedFds *
tractor__passed_fds_ref (PassedFds *fds)
{
  return fds != NULL ? g_rc_box_acquire (fds) : NULL;
}

static void
close_rest (gpointer data)
{
  PassedFds *fds = data;

  for (guint i = 0; i < fds->n; i++)
    if (fds->fds[i].fd >= 0)
      tractor__fd_close (fds->fds[i].fd);
}

void
tractor__passed_fds_unref (PassedFds *fds)
{
  if (fds != NULL)
    g_rc_box_release_full (fds, close_rest);
}

guint
tractor__passed_fds_get_n (const PassedFds *fds)
{
  return fds != NULL ? fds->n : 0;
}

int
tractor__passed_fds_take (PassedFds *fds, const guint8 *mark)
{
  for (guint i = 0; i < tractor__passed_fds_get_n (fds); i++) {
    int fd = fds->fds[i].fd;

    if (memcmp (fds->fds[i].mark, mark, FD_MARK_BYTES) != 0 || fd == FD_IS_UNKNOWN)
      continue;
    if (fd >= 0)
      fds->fds[i].fd = FD_IS_UNKNOWN;
    return fd;
  }
  return FD_IS_UNKNOWN;
}
