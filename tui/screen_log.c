/* The log of one module (or the serial console, or the engine), live. */
#include "core/base/str.h"
#include "tui/field.h"
#include "tui/log_arg.h"
#include "tui/log_view.h"
#include "tui/request.h"
#include "tui/words.h"

#include <inttypes.h>

#define TAIL 1000

enum log_prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER };

struct log_screen {
    char module[MODEL_NAME_MAX];
    char device[SANDBOX_ID_MAX]; /* of "@sandbox" */
    char stream[64];
    bool ended;
    struct err err;
    struct log_view view;
    enum log_prompt prompt;
    struct field field;
};

static const enum action_id log_actions[] = {
    ACTION_UP,     ACTION_DOWN,       ACTION_PAGE_UP,    ACTION_PAGE_DOWN,  ACTION_FIRST,
    ACTION_LEFT,   ACTION_RIGHT,      ACTION_LOG_LAST,   ACTION_PAUSE,      ACTION_SEARCH,
    ACTION_FILTER, ACTION_MATCH_NEXT, ACTION_MATCH_PREV, ACTION_ERROR_NEXT, ACTION_ERROR_PREV,
    ACTION_LEVEL,  ACTION_STAMPS,     ACTION_FOLD,       ACTION_NONE,
};

static bool is_sandbox(const struct log_screen *l)
{
    return str_eq(l->module, "@sandbox");
}

static void log_follow(struct ui *ui, void *state)
{
    struct log_screen *l = state;
    const struct vm_status *vm = view_vm(ui_view(ui));
    log_view_clear(&l->view);
    l->stream[0] = '\0';
    l->ended = false;
    l->err.kind = ERR_NONE;
    if (is_sandbox(l))
        request_events_follow(ui, l->device, TAIL);
    else
        request_logs_follow(ui, vm ? vm->name : "", l->module, TAIL);
}

static void log_enter(struct ui *ui, void *state, const void *arg)
{
    struct log_screen *l = state;
    const struct log_arg *a = arg;
    STR_SET(l->module, a->module);
    STR_SET(l->device, a->device);
    log_view_init(&l->view);
    log_follow(ui, state);
}

static void log_leave(struct ui *ui, void *state)
{
    struct log_screen *l = state;
    if (l->stream[0] && !l->ended && is_sandbox(l))
        request_events_stop(ui, l->stream);
    else if (l->stream[0] && !l->ended)
        request_logs_stop(ui, l->stream);
    log_view_done(&l->view);
}

static void log_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    const struct log_screen *l = state;
    (void)view;
    (void)str_format(to, size, "%s  %s", is_sandbox(l) ? "Events" : "Logs",
                     l->device[0] ? l->device : words_source(l->module));
}

static void draw_state(const struct log_screen *l, struct surface *s, int y, int w)
{
    static const char *const levels[] = {"all", "info +", "warning +", "error"};
    _Static_assert(ARRAY_LEN(levels) == LINE_LEVEL_COUNT, "a word for each level");
    const struct log_view *v = &l->view;
    auto_buf struct buf text = {0};
    size_t all = line_ring_count(v->ring);
    buf_printf(&text, "%s   level %s",
               v->paused  ? "PAUSED"
               : l->ended ? "ENDED"
                          : "FOLLOW",
               levels[v->min]);
    if (v->show[0])
        buf_printf(&text, "   show /%s/", v->show);
    if (v->hide[0])
        buf_printf(&text, "   hide /%s/", v->hide);
    if (v->search[0])
        buf_printf(&text, "   search /%s/", v->search);
    if (v->filter)
        buf_printf(&text, "   %zu of %zu lines", log_view_shown(v), all);
    else
        buf_printf(&text, "   %zu line%s", all, all == 1 ? "" : "s");
    if (v->paused && v->new_lines)
        buf_printf(&text, "   +%" PRIu64 " new below (End follows)", v->new_lines);
    surface_text(s, y, 1, w - 2, STYLE_STRONG, buf_str(&text));
}

static void draw_prompt(const struct log_screen *l, struct surface *s, int y, int w)
{
    int x = 1;
    x += surface_text(s, y, x, -1, STYLE_STRONG,
                      l->prompt == PROMPT_SEARCH ? "Search " : "Show only (!x hides x) ");
    field_draw(s, y, x, w - x - 22, &l->field, true);
    surface_text(s, y, w - 21, -1, STYLE_TEXT, "Enter ok   Esc cancel");
}

static void log_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct log_screen *l = state;
    struct area a = {body.y + 2, 0, body.h - 2, body.w};
    (void)view;
    surface_rule(s, (struct area){body.y + 1, 0, 1, body.w}, NULL);
    if (l->err.kind != ERR_NONE) {
        int y = a.y + a.h - 3;
        surface_light(s, y, 1, a.w - 2, LIGHT_BAD, l->err.msg);
        surface_wrap(s, (struct area){y + 1, 6, 2, a.w - 7}, STYLE_TEXT, l->err.hint);
        a.h -= 3;
    } else if (!line_ring_count(l->view.ring)) {
        surface_light(s, a.y, 1, -1, l->ended ? LIGHT_OFF : LIGHT_BUSY,
                      l->ended        ? "The log is empty."
                      : is_sandbox(l) ? "Waiting for the first event ..."
                                      : "Waiting for its first line ...");
    }
    log_view_draw(&l->view, s, a);
    if (l->prompt == PROMPT_NONE)
        draw_state(l, s, body.y, body.w);
    else
        draw_prompt(l, s, body.y, body.w);
}

static void open_prompt(struct log_screen *l, enum log_prompt prompt)
{
    l->prompt = prompt;
    l->field.max = FILTER_PATTERN_MAX - 1;
    field_set(&l->field, prompt == PROMPT_SEARCH ? l->view.search : l->view.show);
    if (prompt == PROMPT_FILTER && l->view.hide[0]) {
        char text[FILTER_PATTERN_MAX + 1];
        (void)str_format(text, sizeof(text), "!%s", l->view.hide);
        field_set(&l->field, text);
    }
}

static void take_prompt(struct ui *ui, struct log_screen *l)
{
    struct err err = {0};
    int rc = l->prompt == PROMPT_SEARCH ? log_view_search(&l->view, l->field.text, &err)
                                        : log_view_filter(&l->view, l->field.text, &err);
    if (rc < 0) {
        ui_toast(ui, LIGHT_BAD, "%s", err.msg);
        return;
    }
    if (l->prompt == PROMPT_SEARCH && l->view.finder && !log_view_find(&l->view, false, false))
        ui_toast(ui, LIGHT_WARN, "No line matches /%s/", l->view.search);
    l->prompt = PROMPT_NONE;
}

static bool log_key(struct ui *ui, void *state, const struct key *key)
{
    struct log_screen *l = state;
    if (l->prompt == PROMPT_NONE)
        return false;
    if (key->sym == KEYSYM_ESC)
        l->prompt = PROMPT_NONE;
    else if (key->sym == KEYSYM_ENTER)
        take_prompt(ui, l);
    else
        (void)field_key(&l->field, key);
    return key->sym != KEYSYM_CTRL_C && key->sym != KEYSYM_CTRL_L;
}

static bool log_action(struct ui *ui, void *state, enum action_id id)
{
    struct log_screen *l = state;
    bool errors = id == ACTION_ERROR_NEXT || id == ACTION_ERROR_PREV;
    if (id == ACTION_SEARCH) {
        open_prompt(l, PROMPT_SEARCH);
    } else if (id == ACTION_FILTER) {
        open_prompt(l, PROMPT_FILTER);
    } else if (errors || id == ACTION_MATCH_NEXT || id == ACTION_MATCH_PREV) {
        bool forward = id == ACTION_ERROR_NEXT || id == ACTION_MATCH_NEXT;
        if (!errors && !l->view.finder)
            ui_toast(ui, LIGHT_WARN, "Nothing is searched for: / asks");
        else if (!log_view_find(&l->view, forward, errors))
            ui_toast(ui, LIGHT_WARN, "No %s line %s here", errors ? "error" : "matching",
                     forward ? "below" : "above");
    } else {
        return log_view_action(&l->view, id);
    }
    return true;
}

static bool log_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct log_screen *l = state;
    (void)ui;
    if (reply->kind != REPLY_STREAM)
        return false;
    if (reply->err)
        l->err = *reply->err;
    else
        STR_SET(l->stream, reply->id);
    return true;
}

static void log_lines(struct ui *ui, void *state, const struct log_batch *batch)
{
    struct log_screen *l = state;
    (void)ui;
    if (!str_eq(batch->stream, l->stream))
        return;
    for (size_t i = 0; i < batch->n; i++)
        log_view_push(&l->view, &batch->entries[i]);
    if (batch->err)
        l->err = *batch->err;
    l->ended = l->ended || batch->end;
}

const struct screen screen_log = {
    .title = "Logs",
    .tab = TAB_NONE,
    .state_size = sizeof(struct log_screen),
    .actions = log_actions,
    .enter = log_enter,
    .leave = log_leave,
    .draw = log_draw,
    .crumb = log_crumb,
    .on_key = log_key,
    .on_action = log_action,
    .on_reply = log_reply,
    .on_log = log_lines,
    .on_ready = log_follow,
};
