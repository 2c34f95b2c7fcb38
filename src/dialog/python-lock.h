/* python-lock.h - the turns of a tree's Python actors at its terminal, which they ask the root for. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "runtime.h"

/* @runtime: a root's, in debug mode. */
G_GNUC_INTERNAL void tractor__python_lock_serve (TractorRuntime *runtime);
