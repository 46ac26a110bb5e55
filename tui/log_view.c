/* See log_view.h: lines, filter, moving. Drawing is in log_draw.c. */
#include "tui/log_view.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/log_lines.h"

#include <string.h>

void log_view_init(struct log_view *v)
{
    memset(v, 0, sizeof(*v));
    v->ring = line_ring_new(LOG_VIEW_LINES, LOG_VIEW_BYTES);
}

void log_view_done(struct log_view *v)
{
    line_ring_free(v->ring);
    filter_free(v->filter);
    filter_free(v->finder);
    free(v->pass);
}

void log_view_clear(struct log_view *v)
{
    line_ring_clear(v->ring);
    v->n_pass = 0;
    v->pass_gap = 0;
    v->paused = false;
    v->new_lines = 0;
}

static void pass_add(struct log_view *v, const struct log_entry *e)
{
    v->pass_gap += e->gap;
    if (!filter_passes(v->filter, e->text, e->len))
        return;
    if (v->n_pass == v->cap_pass) {
        v->cap_pass = v->cap_pass ? v->cap_pass * 2 : 1024;
        v->pass = xreallocarray(v->pass, v->cap_pass, sizeof(*v->pass));
    }
    v->pass[v->n_pass++] = (struct log_pass){e->seq, v->pass_gap};
    v->pass_gap = 0;
}

/* Forgets what the ring no longer holds, in large bites. */
static void pass_trim(struct log_view *v)
{
    uint64_t first = line_ring_first(v->ring);
    size_t gone = 0;
    if (!v->n_pass || v->pass[v->n_pass / 4].seq >= first)
        return;
    while (gone < v->n_pass && v->pass[gone].seq < first)
        gone++;
    memmove(v->pass, v->pass + gone, (v->n_pass - gone) * sizeof(*v->pass));
    v->n_pass -= gone;
}

void log_view_push(struct log_view *v, const struct log_entry *entry)
{
    struct log_entry kept;
    if (!line_ring_push(v->ring, entry))
        return;
    if (v->paused)
        v->new_lines++;
    if (!v->filter || !line_ring_at(v->ring, line_ring_count(v->ring) - 1, &kept))
        return;
    pass_add(v, &kept);
    pass_trim(v);
}

/* ---- the lines that pass, as an array */

/* First of the passing lines with a seq >= SEQ. */
static size_t pass_find(const struct log_view *v, uint64_t seq)
{
    size_t low = 0;
    size_t high = v->n_pass;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->pass[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those before it are no longer in the ring. */
static size_t pass_first(const struct log_view *v)
{
    return pass_find(v, line_ring_first(v->ring));
}

size_t log_lines_count(const struct log_view *v)
{
    return v->filter ? v->n_pass - pass_first(v) : line_ring_count(v->ring);
}

size_t log_view_shown(const struct log_view *v)
{
    return log_lines_count(v);
}

bool log_lines_at(const struct log_view *v, size_t index, struct log_entry *ret)
{
    if (!v->filter)
        return line_ring_at(v->ring, index, ret);
    index += pass_first(v);
    if (index >= v->n_pass ||
        !line_ring_at(v->ring, line_ring_find(v->ring, v->pass[index].seq), ret))
        return false;
    ret->gap = v->pass[index].gap;
    return true;
}

size_t log_lines_find(const struct log_view *v, uint64_t seq)
{
    if (!v->filter)
        return line_ring_find(v->ring, seq);
    size_t first = pass_first(v);
    size_t found = pass_find(v, seq);
    return found > first ? found - first : 0;
}

/* ---- filter and search */

static int refilter(struct log_view *v, const char *show, const char *hide, enum line_level min,
                    struct err *err)
{
    struct filter *filter = NULL;
    struct log_entry e;
    const struct filter_options options = {.show = show, .hide = hide, .min = min};
    if (show[0] || hide[0] || min != LINE_LEVEL_NONE) {
        filter = filter_new(&options, err);
        if (!filter)
            return -1;
    }
    filter_free(v->filter);
    v->filter = filter;
    v->min = min;
    STR_SET(v->show, show);
    STR_SET(v->hide, hide);
    v->n_pass = 0;
    v->pass_gap = 0;
    for (size_t i = 0; filter && i < line_ring_count(v->ring); i++)
        if (line_ring_at(v->ring, i, &e))
            pass_add(v, &e);
    return 0;
}

int log_view_filter(struct log_view *v, const char *text, struct err *err)
{
    bool hides = text[0] == '!';
    return refilter(v, hides ? "" : text, hides ? text + 1 : "", v->min, err);
}

void log_view_level(struct log_view *v)
{
    char show[FILTER_PATTERN_MAX], hide[FILTER_PATTERN_MAX];
    STR_SET(show, v->show);
    STR_SET(hide, v->hide);
    (void)refilter(v, show, hide, (enum line_level)((v->min + 1) % LINE_LEVEL_COUNT), NULL);
}

int log_view_search(struct log_view *v, const char *pattern, struct err *err)
{
    struct filter *finder = NULL;
    const struct filter_options options = {.show = pattern};
    if (pattern[0]) {
        finder = filter_new(&options, err);
        if (!finder)
            return -1;
    }
    filter_free(v->finder);
    v->finder = finder;
    STR_SET(v->search, pattern);
    return 0;
}

/* ---- moving */

static uint64_t seq_at(const struct log_view *v, size_t index)
{
    struct log_entry e;
    return log_lines_at(v, index, &e) ? e.seq : 0;
}

/* Stops following: the window stays where it is, the newest line is marked. */
static void pause_view(struct log_view *v)
{
    size_t n = log_lines_count(v);
    if (v->paused)
        return;
    v->paused = true;
    v->new_lines = 0;
    v->mark = n ? seq_at(v, n - 1) : 0;
    v->top = seq_at(v, n > v->page ? n - v->page : 0);
}

static void follow(struct log_view *v)
{
    v->paused = false;
    v->new_lines = 0;
}

static void move_mark(struct log_view *v, long by)
{
    pause_view(v);
    size_t n = log_lines_count(v);
    long index = (long)log_lines_find(v, v->mark) + by;
    if (!n)
        return;
    if (index < 0)
        index = 0;
    if ((size_t)index >= n)
        index = (long)n - 1;
    v->mark = seq_at(v, (size_t)index);
}

static bool wanted(struct log_view *v, const struct log_entry *e, bool errors)
{
    size_t at = 0;
    size_t len = 0;
    if (errors)
        return line_level_of(e->text, e->len) == LINE_LEVEL_ERROR;
    return filter_find(v->finder, e->text, e->len, 0, &at, &len);
}

bool log_view_find(struct log_view *v, bool forward, bool errors)
{
    struct log_entry e;
    size_t n = log_lines_count(v);
    if (!n || (!errors && !v->finder))
        return false;
    size_t i = v->paused ? log_lines_find(v, v->mark) : n;
    while (forward ? ++i < n : i-- > 0) {
        if (!log_lines_at(v, i, &e) || !wanted(v, &e, errors))
            continue;
        pause_view(v);
        v->mark = e.seq;
        return true;
    }
    return false;
}

static bool move_action(struct log_view *v, enum action_id id)
{
    long page = v->page > 1 ? (long)v->page - 1 : 1;
    switch ((int)id) {
    case ACTION_UP:
        move_mark(v, -1);
        return true;
    case ACTION_DOWN:
        if (v->paused)
            move_mark(v, 1);
        return true;
    case ACTION_PAGE_UP:
        move_mark(v, -page);
        return true;
    case ACTION_PAGE_DOWN:
        if (v->paused)
            move_mark(v, page);
        return true;
    case ACTION_FIRST:
        move_mark(v, -(long)log_lines_count(v));
        return true;
    case ACTION_LOG_LAST:
        follow(v);
        return true;
    default:
        return false;
    }
}

bool log_view_action(struct log_view *v, enum action_id id)
{
    switch ((int)id) {
    case ACTION_PAUSE:
        if (v->paused)
            follow(v);
        else
            pause_view(v);
        return true;
    case ACTION_LEFT:
        v->left -= v->left < 20 ? v->left : 20;
        return true;
    case ACTION_RIGHT:
        v->left += v->left < 16000 && !v->fold ? 20 : 0;
        return true;
    case ACTION_FOLD:
        v->fold = !v->fold;
        v->left = 0;
        return true;
    case ACTION_STAMPS:
        v->stamps = (enum log_stamps)((v->stamps + 1) % LOG_STAMPS_COUNT);
        return true;
    case ACTION_LEVEL:
        log_view_level(v);
        return true;
    default:
        return move_action(v, id);
    }
}
