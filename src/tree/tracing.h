/* tracing.h - an actor that runs is traced, for who asks for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "runtime.h"

/* Lets peers ask for it. */
G_GNUC_INTERNAL void tractor__tracing_serve (TractorRuntime *runtime);
