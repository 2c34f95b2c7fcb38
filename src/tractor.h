/* tractor.h - actors and tasks, all there is of them but tractor-crash.h, tractor-debug.h and, for what
 * callbacks of a host have to do with tasks, tractor-host-link.h. Include the header of a host beside it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-actor.h"
#include "tractor-broadcast.h"
#include "tractor-cache.h"
#include "tractor-channel.h"
#include "tractor-cluster.h"
#include "tractor-context.h"
#include "tractor-debugger.h"
#include "tractor-discovery.h"
#include "tractor-error.h"
#include "tractor-foreign.h"
#include "tractor-log.h"
#include "tractor-process.h"
#include "tractor-shm.h"
#include "tractor-signal.h"
#include "tractor-stream.h"
#include "tractor-sync.h"
#include "tractor-task.h"
#include "tractor-thread.h"
#include "tractor-topics.h"
#include "tractor-tree.h"
#include "tractor-value.h"
