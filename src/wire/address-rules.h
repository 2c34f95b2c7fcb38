/* address-rules.h - what may be an address: for those that make one. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include <string.h>

#include "address.h"
#include "tractor-error.h"

#define ADDRESS_ACCEPTED                                                                           \
  "accepted are tcp://IP:PORT, unix:/absolute/path, /ip4/IP/tcp/PORT, /ip6/IP/tcp/PORT and "       \
  "/unix/absolute/path"

static inline gboolean
address_is_ipv6 (const char *host)
{
  return strchr (host, ':') != NULL;
}

/* @text is quoted. Returns: FALSE, with @code */
G_GNUC_INTERNAL gboolean tractor__address_refuse (GError **error,
                                                  TractorError code,
                                                  const char *text,
                                                  const char *problem);
/* @host: in any spelling; both return FALSE with @code for what is refused. */
G_GNUC_INTERNAL gboolean tractor__address_set_tcp (
    Address *ret_address, const char *host, gint64 port, TractorError code, GError **error);
G_GNUC_INTERNAL gboolean tractor__address_set_unix (Address *ret_address,
                                                    const char *path,
                                                    TractorError code,
                                                    GError **error);
