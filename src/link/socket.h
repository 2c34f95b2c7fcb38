/* socket.h - sockets of actors: listening, accepting, connecting; none of it waits. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "address.h"

/* All descriptors that come from here are non-blocking, closed on exec, and above stderr, if nothing else is
 * said. */

/* @ret_bound: what it listens on, with the port that was chosen for 0.
 * Returns: FALSE with AUTH for an address that other machines could reach; REGISTRY if another
 * program listens there; MISUSE; or a G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__tcp_listen (const Address *address,
                                              int *ret_fd,
                                              Address *ret_bound,
                                              GError **error);

/* As socketpair(): two ends that are connected to each other, blocking, closed on exec, anywhere; by a Unix
 * socket, or over the loopback. Returns: FALSE with a G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__socket_pair (AddressKind kind, int ret_ends[2], GError **error);

/* Returns: 0; or -1 with errno set: EAGAIN if nobody is waiting; EMFILE and the like, with which the
 * listener stays readable: do not ask at once again. */
G_GNUC_INTERNAL int tractor__socket_accept (int listen_fd, int *ret_fd);
/* Whether the other end may be talked to: our own user over Unix, this machine over TCP. For both
 * ends, before anything is read. Returns: FALSE with AUTH. */
G_GNUC_INTERNAL gboolean tractor__socket_check_peer (int fd, GError **error);

/* Returns: a pidfd of who is at the other end of a Unix socket, or has listened there; or -1 if the kernel
 * does not say, or @fd is none. */
G_GNUC_INTERNAL int tractor__socket_open_peer_pidfd (int fd);
/* Returns: a pidfd; or -1 with errno set. */
G_GNUC_INTERNAL int tractor__open_pidfd (pid_t pid);

/* Looks whether somebody listens at @address, on this machine, without waiting. *@ret_fd: connected to him;
 * or -1. Returns: FALSE if there is nobody; TRUE in doubt. */
G_GNUC_INTERNAL gboolean tractor__socket_knock (const Address *address, int *ret_fd);
/* *@ret_in_progress: wait until it is writable, then tractor__socket_finish_connect().
 * Returns: FALSE with BUSY if too many wait there already: try again in a moment, not by polling;
 * TRANSPORT_CLOSED; MISUSE; or a G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__socket_begin_connect (const Address *address,
                                                        int *ret_fd,
                                                        gboolean *ret_in_progress,
                                                        GError **error);
/* @address: what it was to be connected to. Returns: FALSE with TRANSPORT_CLOSED; @fd stays open. */
G_GNUC_INTERNAL gboolean tractor__socket_finish_connect (int fd,
                                                         const Address *address,
                                                         GError **error);

/* --- for who listens at a name (unix-name.c) --- */

#define SOCKET_BACKLOG 128

/* @where: for people. Returns: -1 with @error set */
G_GNUC_INTERNAL int tractor__socket_open (int family, const char *where, GError **error);
/* Returns: FALSE with a G_FILE_ERROR: "cannot listen on /run/x: ..." */
G_GNUC_INTERNAL gboolean tractor__socket_set_file_error (GError **error,
                                                         int errno_value,
                                                         const char *what,
                                                         const char *where);
/* Returns: FALSE with REGISTRY */
G_GNUC_INTERNAL gboolean tractor__socket_set_held (GError **error, const char *where);
