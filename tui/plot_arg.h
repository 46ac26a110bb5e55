/* What the large plot is asked to show. */
#ifndef BERTH_TUI_PLOT_ARG_H
#define BERTH_TUI_PLOT_ARG_H

#include <stdint.h>

struct plot_arg {
    const char *name, *module; /* of the metric */
    uint64_t span_ms;
};

/* The spans that + and - walk through. */
uint64_t plot_span_wider(uint64_t span_ms);
uint64_t plot_span_narrower(uint64_t span_ms);
const char *plot_span_text(uint64_t span_ms); /* "last 15 min" */

#endif
