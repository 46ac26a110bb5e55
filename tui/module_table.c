/* See module_table.h. */
#include "tui/module_table.h"

#include "core/base/str.h"
#include "tui/format.h"
#include "tui/table.h"
#include "tui/words.h"

#include <inttypes.h>
#include <string.h>

static const struct column columns[] = {
    {.title = "NAME", .width = 18, .grow = true},       {.title = "STATE", .width = 13},
    {.title = "CPU", .width = 6, .right = true},        {.title = "MEM", .width = 8, .right = true},
    {.title = "RESTARTS", .width = 8, .right = true},   {.title = "SINCE", .width = 11},
    {.title = "IMAGE", .width = 40, .from_width = 120},
};

static int rank(const struct module_status *m)
{
    switch (module_state_light(m->state)) {
    case LIGHT_BAD:
        return 0;
    case LIGHT_WARN:
        return 1;
    case LIGHT_BUSY:
    case LIGHT_UNKNOWN:
        return 2;
    case LIGHT_OFF:
    case LIGHT_TODO:
    case LIGHT_OK:
    case LIGHT_COUNT:
    default:
        return m->system ? 3 : 4;
    }
}

static bool comes_before(const struct module_status *a, const struct module_status *b)
{
    return rank(a) != rank(b) ? rank(a) < rank(b) : strcmp(a->name, b->name) < 0;
}

void module_order(const struct vm_status *vm, size_t order[MODEL_MODULES_MAX])
{
    for (size_t i = 0; i < vm->n_modules; i++) {
        size_t at = i;
        for (; at && comes_before(&vm->modules[i], &vm->modules[order[at - 1]]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

void module_table_head(struct surface *s, struct area a)
{
    table_head(s, a, columns, ARRAY_LEN(columns));
}

void module_table_row(struct surface *s, struct area a, int y, const struct view *view,
                      const struct module_status *m)
{
    char text[64];
    bool running = m->state == MODULE_STATE_RUNNING;
    struct table_row row = table_row(s, a, y, columns, ARRAY_LEN(columns));
    table_cell(&row, STYLE_TEXT, m->name);
    table_light(&row, module_state_light(m->state), words_module(m->state));
    format_percent(text, sizeof(text), running ? m->cpu_percent : -1);
    table_cell(&row, STYLE_TEXT, text);
    str_bytes(text, sizeof(text), m->memory);
    table_cell(&row, STYLE_TEXT, running && m->memory ? text : "-");
    (void)str_format(text, sizeof(text), "%" PRIu32, m->restarts);
    table_cell(&row, STYLE_TEXT, text);
    format_for(text, sizeof(text), view->now_ms, running ? m->started_ms : m->exited_ms);
    table_cell(&row, STYLE_TEXT, text);
    table_cell(&row, STYLE_TEXT, m->image);
}

void module_counts(const struct vm_status *vm, char *to, size_t size)
{
    size_t count[MODULE_STATE_COUNT] = {0};
    auto_buf struct buf text = {0};
    static const enum module_state shown[] = {
        MODULE_STATE_RUNNING, MODULE_STATE_FAILED,  MODULE_STATE_DEAD,    MODULE_STATE_BACKOFF,
        MODULE_STATE_PULLING, MODULE_STATE_STOPPED, MODULE_STATE_UNKNOWN,
    };
    for (size_t i = 0; i < vm->n_modules; i++)
        count[vm->modules[i].state < MODULE_STATE_COUNT ? vm->modules[i].state : 0]++;
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        if (count[shown[i]])
            buf_printf(&text, "%s%zu %s", text.len ? ", " : "", count[shown[i]],
                       words_module(shown[i]));
    (void)str_copy(to, size, text.len ? buf_str(&text) : "none");
}
