/* A log as it is looked at: the lines kept, which of them pass the filter, where the window stands,
 * following or not, search. Pure: lines go in, a surface comes out. Lines are addressed by sequence
 * number, so that the view stands still while old lines are dropped and new ones arrive. */
#ifndef BERTH_TUI_LOG_VIEW_H
#define BERTH_TUI_LOG_VIEW_H

#include "logs/filter.h"
#include "logs/line_ring.h"
#include "tui/action.h"
#include "tui/surface.h"

#define LOG_VIEW_LINES 200000
#define LOG_VIEW_BYTES (48UL * 1024 * 1024)

enum log_stamps {
    LOG_STAMPS_SHORT,
    LOG_STAMPS_MS,
    LOG_STAMPS_UTC,
    LOG_STAMPS_OFF,
    LOG_STAMPS_COUNT
};

/* A line that passes the filter; gap: lines lost between it and the one before it, filtered ones'
 * gaps included. */
struct log_pass {
    uint64_t seq, gap;
};

struct log_view {
    struct line_ring *ring;
    struct log_pass *pass; /* while there is a filter: what passes, oldest first */
    size_t n_pass, cap_pass;
    uint64_t pass_gap; /* of lines since the last that passed */

    bool paused;
    uint64_t top, mark; /* seqs, while paused */
    uint64_t new_lines; /* arrived since then */
    size_t page;        /* rows of the last draw */
    size_t left;        /* columns scrolled sideways */
    bool fold;
    enum log_stamps stamps;

    enum line_level min;
    char show[FILTER_PATTERN_MAX], hide[FILTER_PATTERN_MAX], search[FILTER_PATTERN_MAX];
    struct filter *filter; /* show, hide, level; NULL: all pass */
    struct filter *finder; /* search; NULL: none */
};

void log_view_init(struct log_view *v);
void log_view_done(struct log_view *v);
void log_view_clear(struct log_view *v); /* forgets the lines: a new stream begins */
void log_view_push(struct log_view *v, const struct log_entry *entry);

/* What a person typed. On a bad pattern the old one stays and ERR says what is wrong with the new
 * one. */
int log_view_search(struct log_view *v, const char *pattern, struct err *err);
int log_view_filter(struct log_view *v, const char *text,
                    struct err *err);    /* "!x" hides; "" shows all */
void log_view_level(struct log_view *v); /* the next one */

/* Marks the next (or previous) line that matches the search, or that is an error. False where there
 * is none. */
bool log_view_find(struct log_view *v, bool forward, bool errors);

bool log_view_action(struct log_view *v,
                     enum action_id id); /* true: it was a move or a switch of the view */
void log_view_draw(struct log_view *v, struct surface *s, struct area a);
size_t log_view_shown(const struct log_view *v); /* lines that pass */

#endif
