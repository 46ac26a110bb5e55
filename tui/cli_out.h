/* What the command line writes: JSON for scripts, aligned text for people, errors. Foreign text
 * passes the sanitiser here, whoever sent it. No colours. */
#ifndef BERTH_TUI_CLI_OUT_H
#define BERTH_TUI_CLI_OUT_H

#include "core/base/buf.h"
#include "core/base/model.h"
#include "tui/cli_exit.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

/* One line of JSON to standard output: {"apiVersion":"berth/v1","kind":KIND, ...members of OBJ}.
 * Next to each time in ms ("startedMs") it gets the RFC 3339 form ("started"; null for never). */
void cli_out_json(const char *kind, cJSON *take_obj);
/* The same without touching what is in OBJ: it holds somebody else's JSON. */
void cli_out_document(const char *kind, cJSON *take_obj);
/* The same for a list: {"apiVersion":..,"kind":..,"items":[...]}. */
void cli_out_json_list(const char *kind, cJSON *take_array);

/* To standard output, sanitised but for its line ends. */
void cli_out_text(const char *text);
/* The same for bytes that are known to be harmless. */
void cli_out_raw(const char *data, size_t len);
void cli_out_printf(const char *fmt, ...) ATTR_PRINTF(1, 2);

/* A message for people to standard error, one line. */
void cli_out_note(const char *fmt, ...) ATTR_PRINTF(1, 2);

/* The error, for people or as {"error":{"code","exit","message","hint"}}, to standard error. */
void cli_out_error(const struct err *err, enum cli_exit exit_code, const char *code, bool json);

/* Sends what waits to standard output. False where it cannot be written any more; *RET_EXIT says
 * how to end then. */
bool cli_out_flush(enum cli_exit *ret_exit);

/* Rows of cells, aligned. `struct cli_grid g = {.columns = n}`; free with cli_grid_done. */
#define CLI_GRID_COLUMNS_MAX 8
struct cli_grid {
    size_t columns;
    size_t n; /* cells */
    char **cells;
};
void cli_grid_head(struct cli_grid *g, const char *const *titles); /* as many as columns */
void cli_grid_add(struct cli_grid *g,
                  const char *cell); /* copies, sanitised; "" and NULL become "-" */
void cli_grid_addf(struct cli_grid *g, const char *fmt, ...) ATTR_PRINTF(2, 3);
void cli_grid_print(const struct cli_grid *g,
                    struct buf *out); /* every line begins with nothing and ends without blanks */
void cli_grid_show(const struct cli_grid *g); /* the same to standard output */
void cli_grid_done(struct cli_grid *g);
#define auto_grid ATTR_CLEANUP(cli_grid_done)

#endif
