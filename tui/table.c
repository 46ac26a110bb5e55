/* See table.h. */
#include "tui/table.h"

#define TABLE_INDENT 3
#define TABLE_GAP    2

static bool column_shown(const struct column *c, const struct area *a)
{
    return a->w >= c->from_width;
}

static int column_width(const struct column *columns, size_t n, size_t at, const struct area *a)
{
    int used = TABLE_INDENT;
    size_t grows = n;
    for (size_t i = 0; i < n; i++) {
        if (!column_shown(&columns[i], a))
            continue;
        used += columns[i].width + TABLE_GAP;
        if (columns[i].grow && grows == n)
            grows = i;
    }
    int spare = a->w - used;
    return columns[at].width + (at == grows && spare > 0 ? spare : 0);
}

struct table_row table_row(struct surface *s, struct area a, int y, const struct column *columns,
                           size_t n)
{
    return (struct table_row){
        .s = s, .area = a, .columns = columns, .n = n, .y = y, .x = a.x + TABLE_INDENT};
}

/* Width of the next column, 0 where it is not shown; *RET_X is where it begins. */
static int next_column(struct table_row *row, int *ret_x)
{
    size_t at = row->at++;
    if (at >= row->n || !column_shown(&row->columns[at], &row->area))
        return 0;
    int width = column_width(row->columns, row->n, at, &row->area);
    *ret_x = row->x;
    row->x += width + TABLE_GAP;
    int room = row->area.x + row->area.w - *ret_x;
    return width < room ? width : room;
}

void table_cell(struct table_row *row, enum style style, const char *text)
{
    int x = 0;
    size_t at = row->at;
    int width = next_column(row, &x);
    if (width <= 0)
        return;
    if (row->columns[at].right)
        surface_right(row->s, row->y, x, width, style, text);
    else
        surface_text(row->s, row->y, x, width, style, text);
}

void table_light(struct table_row *row, enum light light, const char *word)
{
    int x = 0;
    int width = next_column(row, &x);
    if (width > 0)
        surface_light(row->s, row->y, x, width, light, word);
}

void table_head(struct surface *s, struct area a, const struct column *columns, size_t n)
{
    struct table_row row = table_row(s, a, a.y, columns, n);
    for (size_t i = 0; i < n; i++)
        table_cell(&row, STYLE_STRONG, columns[i].title);
}
