/* tractor-signal.h - signals of the process, received by tasks.
 *
 * The library installs a handler only while a receiver for that signal is open; it calls the handler
 * that it found, and puts it back unless somebody has replaced ours since. A program whose host has
 * a facility of its own for signals may use that instead, but not for the same signal after a
 * receiver was opened: it would take the signal away. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorSignalReceiver TractorSignalReceiver;

/**
 * tractor_signal_receiver_open:
 * @signals: (array length=n_signals): such as SIGINT and SIGTERM; a repeated one counts once
 *
 * From now on these signals do not do what they did, but are kept for tractor_signal_receiver_receive().
 * Several receivers, in this guest or in others, get each their own. A signal that all threads block does
 * not come until one unblocks it: the mask is the program's.
 *
 * Returns: (transfer full): the receiver, to be closed before the calling task ends, which else ends with
 *   MISUSE; or NULL with @error set to MISUSE if there are no signals;
 *   to LIMIT if 64 receivers are open; or to a G_FILE_ERROR for what is no signal or cannot be caught,
 *   and then nothing has changed.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorSignalReceiver *
tractor_signal_receiver_open (const int *signals, gsize n_signals, GError **error);

/**
 * tractor_signal_receiver_receive:
 * @ret_signal: (out): its number
 *
 * Waits for a signal. One that came several times since it was received last comes once; of several
 * different ones each has its turn.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; to BUSY if another task waits; or to CLOSED if the
 *   receiver is closed meanwhile.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_signal_receiver_receive (TractorSignalReceiver *receiver,
                                                      int *ret_signal,
                                                      GError **error);

/**
 * tractor_signal_receiver_close:
 * @receiver: (transfer full) (nullable): who waits at it gets CLOSED
 *
 * Signals do again what they did before. One that came and was not received is raised again.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_signal_receiver_close (TractorSignalReceiver *receiver);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorSignalReceiver, tractor_signal_receiver_close)

G_END_DECLS
