/* exports.h - what peers may call here: one table, which whoever serves something adds to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "msg.h"

typedef struct _Link Link;

/* The runtime's own namespace. */
#define NAMESPACE_SELF "self"

/* What the runtime serves itself. @link: (nullable): who asks; NULL: this actor itself. */
typedef gboolean (*RuntimeFunc) (
    TractorRuntime *runtime, Link *link, GVariant *kwargs, GVariant **ret_result, GError **error);

/* One function, and who does it: what @entry says, or one of the two others. */
typedef struct {
  const TractorExport *entry; /* what it is like */
  RuntimeFunc func;           /* (nullable): not what @entry says */
  void (*answer) (Link *link,
                  const char *cid,
                  const Msg *start); /* (nullable): no task, but at once */
  gboolean is_own;                   /* what @entry says is the runtime's own */
  const char *full_name;             /* "module:function", for ever; set when it is added */
} Served;

/* What a Start names, as it stands there: no NUL ends either half. */
typedef struct {
  const char *ns;
  gsize ns_length;
  const char *name; /* (nullable): NULL: the module itself */
  gsize name_length;
} ExportName;

G_GNUC_INTERNAL ExportName tractor__export_name_read (const Msg *start);
/* (transfer full): "module:function" */
G_GNUC_INTERNAL char *tractor__export_name_to_string (const ExportName *name);

/* (element-type Served): with nothing in it. */
G_GNUC_INTERNAL GHashTable *tractor__exports_new (void);
/* What is there already stays. @ns, @served->entry: as long as @exports. */
G_GNUC_INTERNAL void
tractor__exports_add (GHashTable *exports, const char *ns, const Served *served);
G_GNUC_INTERNAL void
tractor__exports_remove (GHashTable *exports, const char *ns, const char *name);
/* @modules: (nullable). @enabled: (nullable): the names of those that are served; NULL: all */
G_GNUC_INTERNAL void tractor__exports_add_modules (GHashTable *exports,
                                                   const TractorModule *modules,
                                                   const char *const *enabled);
/* (transfer none) (nullable). *@ret_has_module: if it is not there, whether it is only the function that is not. */
G_GNUC_INTERNAL const Served *
tractor__exports_find (GHashTable *exports, const ExportName *name, gboolean *ret_has_module);

/* @modules: (nullable). Returns: TRUE; or FALSE with @error set to MISUSE if a function is not there, is not of
 * the kind that its export says, or has a payload_spec that is none: what would only be found by a call, or
 * crash in it. */
G_GNUC_INTERNAL gboolean tractor__modules_check (const TractorModule *modules, GError **error);
