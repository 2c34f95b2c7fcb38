/* thumbwall.c - a wall of pictures, read by actors.
 *
 * A GTK program as any other: an application, a window, a grid of tiles that come and go as it is
 * scrolled. What it has of tractor is one task on its main loop, which runs a pool of decoders
 * (pool.c); the list of its processes; and the first lines of main(), by which its processes become
 * decoders. A picture that kills its decoder shows so on its own tile. Closing the window cancels the task;
 * the program ends when that has, and no process is left. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib/gstdio.h>
#include <tractor-glib.h>

#include "wall.h"

#define N_FRAMES 180

typedef struct {
  GtkApplication *application;
  GtkStringList *paths;
  Pool pool;
  double frames_msec[N_FRAMES]; /* from one to the next */
  guint n_frames;
  gint64 last_frame;
  int status;
} Wall;

/* --- tiles --------------------------------------------------------------------------------------- */

/* @tile: (nullable) */
static void
show (gpointer tile, const char *path, GdkTexture *texture, const char *error)
{
  if (tile == NULL)
    return;
  gtk_picture_set_paintable (GTK_PICTURE (gtk_stack_get_child_by_name (tile, "picture")),
                             GDK_PAINTABLE (texture));
  gtk_inscription_set_text (GTK_INSCRIPTION (gtk_stack_get_child_by_name (tile, "error")), error);
  gtk_widget_set_tooltip_text (tile, error != NULL ? error : path);
  gtk_stack_set_visible_child_name (tile, error != NULL ? "error" : "picture");
}

static void
on_setup (G_GNUC_UNUSED GtkListItemFactory *factory, GtkListItem *item)
{
  GtkWidget *tile = gtk_stack_new ();
  GtkWidget *text =
      g_object_new (GTK_TYPE_INSCRIPTION, "wrap-mode", PANGO_WRAP_WORD_CHAR, "yalign", 0.0, NULL);

  gtk_widget_set_size_request (tile, PLACE_PIXELS, PLACE_PIXELS);
  gtk_widget_add_css_class (text, "error");
  gtk_stack_add_named (GTK_STACK (tile), gtk_picture_new (), "picture");
  gtk_stack_add_named (GTK_STACK (tile), text, "error");
  gtk_list_item_set_child (item, tile);
}

static void
on_bind (G_GNUC_UNUSED GtkListItemFactory *factory, GtkListItem *item, gpointer data)
{
  const char *path = gtk_string_object_get_string (gtk_list_item_get_item (item));
  GtkWidget *tile = gtk_list_item_get_child (item);
  Request *request = g_memdup2 (&(Request){ g_strdup (path), tile }, sizeof (Request));

  g_object_set_data (G_OBJECT (tile), "request", request);
  pool_want (&((Wall *) data)->pool, request);
}

static void
on_unbind (G_GNUC_UNUSED GtkListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GObject *tile = G_OBJECT (gtk_list_item_get_child (item));
  Request *request = g_object_steal_data (tile, "request");

  if (request != NULL)
    pool_unwant (&((Wall *) data)->pool, request);
  show (tile, NULL, NULL, NULL);
}

/* --- the tree of processes ------------------------------------------------------------------------- */

static char *
describe (G_GNUC_UNUSED gpointer item, const char *name, int pid, int state, guint restarts)
{
  static const char *const states[] = { " boots", "", " boots again", " ends" };
  return g_strdup_printf ("%s, pid %d, life %u%s", name, pid, restarts + 1, states[state]);
}

/* Of the TractorGlibNode that a list item shows. */
static GtkExpression *
make_property (const char *name)
{
  GtkExpression *row = gtk_property_expression_new (GTK_TYPE_LIST_ITEM, NULL, "item");
  GtkExpression *node = gtk_property_expression_new (GTK_TYPE_TREE_LIST_ROW, row, "item");

  return gtk_property_expression_new (TRACTOR_GLIB_TYPE_NODE, node, name);
}

static void
on_row_setup (G_GNUC_UNUSED GtkListItemFactory *factory, GtkListItem *item)
{
  GtkExpression *parts[] = { make_property ("name"), make_property ("pid"), make_property ("state"),
                             make_property ("restarts") };
  GtkWidget *label = gtk_label_new (NULL);
  GtkWidget *row = g_object_new (GTK_TYPE_TREE_EXPANDER, "child", label, NULL);

  gtk_expression_bind (gtk_property_expression_new (GTK_TYPE_LIST_ITEM, NULL, "item"), row,
                       "list-row", item);
  gtk_expression_bind (gtk_cclosure_expression_new (G_TYPE_STRING, NULL, G_N_ELEMENTS (parts),
                                                    parts, G_CALLBACK (describe), NULL, NULL),
                       label, "label", item);
  gtk_list_item_set_child (item, row);
}

static GListModel *
get_below (gpointer node, G_GNUC_UNUSED gpointer data)
{
  return g_object_ref (node);
}

static GtkWidget *
make_tree (Wall *wall)
{
  GListStore *top = g_list_store_new (TRACTOR_GLIB_TYPE_NODE);
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  GtkTreeListModel *rows =
      gtk_tree_list_model_new (G_LIST_MODEL (top), FALSE, TRUE, get_below, NULL, NULL);
  GtkNoSelection *model = gtk_no_selection_new (G_LIST_MODEL (rows));

  g_list_store_append (top, wall->pool.tree);
  g_signal_connect (factory, "setup", G_CALLBACK (on_row_setup), NULL);
  return g_object_new (GTK_TYPE_SCROLLED_WINDOW, "vexpand", TRUE, "min-content-width", 240, "child",
                       gtk_list_view_new (GTK_SELECTION_MODEL (model), factory), NULL);
}

/* --- the window ------------------------------------------------------------------------------------ */

static gboolean
on_frame (GtkWidget *graph, GdkFrameClock *clock, gpointer data)
{
  Wall *wall = data;
  gint64 now = gdk_frame_clock_get_frame_time (clock);

  wall->frames_msec[wall->n_frames++ % N_FRAMES] = (double) (now - wall->last_frame) / 1000;
  wall->last_frame = now;
  gtk_widget_queue_draw (graph);
  return G_SOURCE_CONTINUE;
}

/* Frame after frame, the latest at the right: flat is good. The line is at 60 a second. */
static void
draw_graph (G_GNUC_UNUSED GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  Wall *wall = data;
  g_autofree char *text =
      g_strdup_printf ("%u decoded, %u failed", wall->pool.n_decoded, wall->pool.n_failed);

  cairo_set_source_rgb (cr, 0.2, 0.5, 0.9);
  cairo_move_to (cr, 0, 12);
  cairo_show_text (cr, text);
  for (guint i = 0; i + 1 < MIN (wall->n_frames, N_FRAMES); i++) {
    double msec = wall->frames_msec[(wall->n_frames - 1 - i) % N_FRAMES];

    cairo_rectangle (cr, width - (i + 1) * width / (double) N_FRAMES, height - msec, 1, msec);
  }
  cairo_rectangle (cr, 0, height - 16.7, width, 0.5);
  cairo_fill (cr);
}

static GtkWidget *
make_grid (Wall *wall)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  GtkExpression *path = gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string");
  GtkSortListModel *sorted = gtk_sort_list_model_new (g_object_ref (G_LIST_MODEL (wall->paths)),
                                                      GTK_SORTER (gtk_string_sorter_new (path)));
  GtkNoSelection *model = gtk_no_selection_new (G_LIST_MODEL (sorted));

  g_signal_connect (factory, "setup", G_CALLBACK (on_setup), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (on_bind), wall);
  g_signal_connect (factory, "unbind", G_CALLBACK (on_unbind), wall);
  return g_object_new (GTK_TYPE_SCROLLED_WINDOW, "hexpand", TRUE, "child",
                       gtk_grid_view_new (GTK_SELECTION_MODEL (model), factory), NULL);
}

static void
make_window (Wall *wall)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *side = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *graph =
      g_object_new (GTK_TYPE_DRAWING_AREA, "content-width", N_FRAMES, "content-height", 80, NULL);

  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (graph), draw_graph, wall, NULL);
  gtk_widget_add_tick_callback (graph, on_frame, wall, NULL);
  gtk_box_append (GTK_BOX (side), make_tree (wall));
  gtk_box_append (GTK_BOX (side), graph);
  gtk_box_append (GTK_BOX (box), make_grid (wall));
  gtk_box_append (GTK_BOX (box), side);
  gtk_application_set_accels_for_action (wall->application, "window.close",
                                         (const char *[]){ "<Control>w", NULL });
  gtk_window_present (g_object_new (GTK_TYPE_APPLICATION_WINDOW, "application", wall->application,
                                    "title", "Thumbwall", "child", box, "default-width", 1000,
                                    "default-height", 640, NULL));
}

/* --- the program ------------------------------------------------------------------------------------ */

static void
on_done (const GError *error, gpointer data)
{
  Wall *wall = data;
  GtkWindow *window = gtk_application_get_active_window (wall->application);

  if (error != NULL && !g_error_matches (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    g_printerr ("%s\n", error->message);
    wall->status = 1;
  }
  if (window != NULL)
    gtk_window_destroy (window); /* nothing more can be shown */
}

/* A window that is closed is gone from the screen at once; the program ends when its actors have. */
static void
on_activate (GApplication *application, gpointer data)
{
  Wall *wall = data;
  g_autoptr (GError) error = NULL;

  make_window (wall);
  if (tractor_glib_attach_to_application (application, pool_run, &wall->pool, on_done, wall,
                                          &error) == NULL)
    on_done (error, wall);
}

static gboolean
list_pictures (Wall *wall, const char *directory, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, error);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    gtk_string_list_take (wall->paths, g_build_filename (directory, name, NULL));
  return dir != NULL;
}

int
main (int argc, char **argv)
{
  static const TractorModule modules[] = { { "decoder", decoder_exports }, { 0 } };
  static const TractorRunner runners[] = { { "glib", tractor_glib_run }, { 0 } };
  Wall wall = { .pool = { .n_workers = g_get_num_processors (), .show = show } };
  g_autofree char *made = NULL;
  guint64 n = 600;
  g_autoptr (GError) error = NULL;

  if (tractor_child_main (argc, argv, modules, runners, &wall.status))
    return wall.status;
  if (argc > 2 || (argc == 2 && *argv[1] == '-')) {
    g_printerr ("usage: thumbwall [FOLDER | NUMBER OF PICTURES OF ITS OWN]\n");
    return 2;
  }
  wall.paths = gtk_string_list_new (NULL);
  wall.pool.tree = tractor_glib_node_new ();
  if (argc == 1 || g_ascii_string_to_unsigned (argv[1], 10, 1, 100000, &n, NULL))
    made = g_dir_make_tmp ("thumbwall-XXXXXX", &error);
  if (error == NULL && (made == NULL || make_test_pictures (made, (guint) n, &error)) &&
      list_pictures (&wall, made != NULL ? made : argv[1], &error)) {
    wall.application = gtk_application_new (NULL, G_APPLICATION_NON_UNIQUE);
    g_signal_connect (wall.application, "activate", G_CALLBACK (on_activate), &wall);
    g_application_run (G_APPLICATION (wall.application), 0, NULL);
    g_object_unref (wall.application);
  }
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  for (guint i = 0; made != NULL && i < g_list_model_get_n_items (G_LIST_MODEL (wall.paths)); i++)
    g_unlink (gtk_string_list_get_string (wall.paths, i));
  if (made != NULL)
    g_rmdir (made);
  g_object_unref (wall.paths);
  g_object_unref (wall.pool.tree);
  return error != NULL ? 2 : wall.status;
}
