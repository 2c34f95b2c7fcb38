/* listener.h - where other actors can connect to this one. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "address.h"
#include "runtime.h"

/* Listens at @address: a NULL path, or port 0, is any free one. What it got is added to
 * runtime->addresses. Returns: FALSE with REGISTRY if somebody else is there, AUTH, or a
 * G_FILE_ERROR. */
G_GNUC_INTERNAL gboolean tractor__listen (TractorRuntime *runtime,
                                          const Address *address,
                                          GError **error);
/* No more connections are taken, and it has no address any more; connections that are there stay. */
G_GNUC_INTERNAL void tractor__stop_listening (TractorRuntime *runtime);
G_GNUC_INTERNAL void tractor__listener_free (gpointer listener);
