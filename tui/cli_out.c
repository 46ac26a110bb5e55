/* See cli_out.h. */
#include "tui/cli_out.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/json_text.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define API_VERSION "berth/v1"

/* Members that are points in time; other "...Ms" are durations. */
static const char *const time_members[] = {"atMs",       "startedMs",    "exitedMs",
                                           "seenMs",     "cloudSinceMs", "endedMs",
                                           "activityMs", "changedMs",    "untilMs"};

static void add_time(cJSON *obj, const char *member)
{
    char key[32];
    char text[CLOCK_TEXT_MAX];
    const cJSON *item = json_get(obj, member);
    if (!cJSON_IsNumber(item))
        return;
    (void)str_format(key, sizeof(key), "%.*s", (int)(strlen(member) - 2), member);
    clock_format(text, sizeof(text), json_u64(obj, member, 0));
    if (!json_get(obj, key))
        json_add_str_or_null(obj, key, text);
}

static void add_times(cJSON *value)
{
    for (size_t i = 0; cJSON_IsObject(value) && i < ARRAY_LEN(time_members); i++)
        add_time(value, time_members[i]);
    for (cJSON *child = value->child; child; child = child->next)
        if (cJSON_IsObject(child) || cJSON_IsArray(child))
            add_times(child);
}

static void print_line(const cJSON *value, FILE *to)
{
    auto_wiped_buf struct buf text = {0};
    json_text(&text, value, false);
    buf_putc(&text, '\n');
    (void)fwrite(text.data, 1, text.len, to);
}

void cli_out_document(const char *kind, cJSON *take_obj)
{
    auto_json cJSON *obj = take_obj ? take_obj : cJSON_CreateObject();
    auto_json cJSON *out = cJSON_CreateObject();
    json_add_str(out, "apiVersion", API_VERSION);
    json_add_str(out, "kind", kind);
    while (obj->child) {
        cJSON *member = cJSON_DetachItemViaPointer(obj, obj->child);
        char *key = xstrdup(member->string);
        if (json_get(out, key))
            cJSON_Delete(member);
        else
            json_add(out, key, member);
        free(key);
    }
    print_line(out, stdout);
}

void cli_out_json(const char *kind, cJSON *take_obj)
{
    if (take_obj)
        add_times(take_obj);
    cli_out_document(kind, take_obj);
}

void cli_out_json_list(const char *kind, cJSON *take_array)
{
    cJSON *obj = cJSON_CreateObject();
    json_add(obj, "items", take_array ? take_array : cJSON_CreateArray());
    cli_out_json(kind, obj);
}

void cli_out_text(const char *text)
{
    auto_buf struct buf clean = {0};
    for (;;) {
        size_t n = strcspn(text, "\n");
        str_sanitise(&clean, text, n);
        if (!text[n])
            break;
        buf_putc(&clean, '\n');
        text += n + 1;
    }
    (void)fwrite(buf_str(&clean), 1, clean.len, stdout);
}

void cli_out_raw(const char *data, size_t len)
{
    (void)fwrite(data, 1, len, stdout);
}

void cli_out_printf(const char *fmt, ...)
{
    auto_wiped_buf struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    cli_out_text(buf_str(&text));
}

void cli_out_note(const char *fmt, ...)
{
    auto_buf struct buf text = {0};
    auto_buf struct buf clean = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    str_sanitise(&clean, buf_str(&text), text.len);
    (void)fprintf(stderr, "%s\n", buf_str(&clean));
}

void cli_out_error(const struct err *err, enum cli_exit exit_code, const char *code, bool json)
{
    if (!json) {
        cli_out_note("berth: %s", err->msg);
        if (err->hint[0])
            cli_out_note("  %s", err->hint);
        return;
    }
    auto_json cJSON *out = cJSON_CreateObject();
    cJSON *error = json_add_obj(out, "error");
    json_add_str(error, "code", code);
    json_add_u64(error, "exit", (uint64_t)exit_code);
    json_add_str(error, "message", err->msg);
    json_add_str_or_null(error, "hint", err->hint);
    print_line(out, stderr);
}

bool cli_out_flush(enum cli_exit *ret_exit)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (errno == EPIPE) {
        *ret_exit = CLI_EXIT_PIPE;
        return false;
    }
    struct err err = {0};
    err_sys(&err, errno, "write to standard output");
    cli_out_error(&err, CLI_EXIT_FAILED, err_kind_name(err.kind), false);
    *ret_exit = CLI_EXIT_FAILED;
    return false;
}

void cli_grid_head(struct cli_grid *g, const char *const *titles)
{
    for (size_t i = 0; i < g->columns; i++)
        cli_grid_add(g, titles[i]);
}

void cli_grid_add(struct cli_grid *g, const char *cell)
{
    auto_buf struct buf clean = {0};
    if (cell && *cell)
        str_sanitise(&clean, cell, strlen(cell));
    else
        buf_putc(&clean, '-');
    g->cells = xreallocarray(g->cells, g->n + 1, sizeof(*g->cells));
    g->cells[g->n++] = buf_steal(&clean);
}

void cli_grid_addf(struct cli_grid *g, const char *fmt, ...)
{
    auto_buf struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    cli_grid_add(g, buf_str(&text));
}

/* Characters, not bytes; wide ones are rare in names and only cost alignment. */
static size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void cli_grid_print(const struct cli_grid *g, struct buf *out)
{
    size_t widths[CLI_GRID_COLUMNS_MAX] = {0};
    assert(g->columns > 0 && g->columns <= CLI_GRID_COLUMNS_MAX);
    for (size_t i = 0; i < g->n; i++) {
        size_t width = text_width(g->cells[i]);
        if (width > widths[i % g->columns])
            widths[i % g->columns] = width;
    }
    for (size_t i = 0; i < g->n; i++) {
        size_t column = i % g->columns;
        buf_puts(out, g->cells[i]);
        if (column + 1 == g->columns || i + 1 == g->n) {
            buf_putc(out, '\n');
            continue;
        }
        for (size_t pad = text_width(g->cells[i]); pad < widths[column] + 2; pad++)
            buf_putc(out, ' ');
    }
}

void cli_grid_show(const struct cli_grid *g)
{
    auto_buf struct buf text = {0};
    cli_grid_print(g, &text);
    cli_out_text(buf_str(&text));
}

void cli_grid_done(struct cli_grid *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->cells[i]);
    free(g->cells);
    *g = (struct cli_grid){.columns = g->columns};
}
