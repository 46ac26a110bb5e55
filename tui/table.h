/* Columns of a table: one head row, cells cut to their column, one column takes what room there is.
 * Pure. */
#ifndef BERTH_TUI_TABLE_H
#define BERTH_TUI_TABLE_H

#include "tui/surface.h"

struct column {
    const char *title;
    int width;      /* columns; of a growing one: the least */
    bool right;     /* figures */
    bool grow;      /* takes the spare room (first such column) */
    int from_width; /* shown only where the table is at least this wide */
};

/* A row's cells are drawn from left to right: start it, then one call a column, shown or not. */
struct table_row {
    struct surface *s;
    struct area area;
    const struct column *columns;
    size_t n, at;
    int y, x;
};

void table_head(struct surface *s, struct area a, const struct column *columns, size_t n);
struct table_row table_row(struct surface *s, struct area a, int y, const struct column *columns,
                           size_t n);
void table_cell(struct table_row *row, enum style style, const char *text);
void table_light(struct table_row *row, enum light light, const char *word);

#endif
