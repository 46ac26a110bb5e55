/* See device_table.h. */
#include "tui/device_table.h"

#include "core/base/str.h"
#include "tui/format.h"
#include "tui/table.h"

static const struct column columns[] = {
    {.title = "DEVICE", .width = 20, .grow = true},
    {.title = "STATE", .width = 18},
    {.title = "KIND", .width = 6},
    {.title = "MODULES", .width = 7, .right = true},
    {.title = "LAST HEARD OF", .width = 13},
    {.title = "AUTH", .width = 16, .from_width = 110},
    {.title = "PARENT", .width = 20, .from_width = 130},
};

void device_table_head(struct surface *s, struct area a)
{
    table_head(s, a, columns, ARRAY_LEN(columns));
}

void device_table_row(struct surface *s, struct area a, int y, const struct view *view,
                      const struct sandbox_device *d)
{
    char text[32];
    struct table_row row = table_row(s, a, y, columns, ARRAY_LEN(columns));
    table_cell(&row, STYLE_TEXT, d->id);
    table_light(&row, sandbox_device_light(d), sandbox_device_word(d));
    table_cell(&row, STYLE_TEXT, d->edge ? "edge" : "device");
    (void)str_format(text, sizeof(text), "%d", d->modules);
    table_cell(&row, STYLE_TEXT, d->modules >= 0 ? text : "-");
    format_ago(text, sizeof(text), view->now_ms, d->activity_ms);
    table_cell(&row, STYLE_TEXT, d->activity_ms ? text : "-");
    table_cell(&row, STYLE_TEXT, sandbox_auth_name(d->auth));
    table_cell(&row, STYLE_TEXT, d->parent[0] ? d->parent : "-");
}
