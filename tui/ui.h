/* The console without its terminal: what is known (struct view), which screens are open, what a key
 * does to them and what they look like. Knows neither curses nor the loop; everything it wants from
 * outside goes through struct ui_ops, so that tests drive it with keys and snapshots and read the
 * surface. One thread. */
#ifndef BERTH_TUI_UI_H
#define BERTH_TUI_UI_H

#include "core/base/model_sandbox.h"
#include "core/base/secret.h"
#include "core/rpc/client.h"
#include "tui/action.h"
#include "tui/metric.h"
#include "tui/surface.h"

enum link_state { LINK_CONNECTING, LINK_READY, LINK_LOST };

/* What screens draw from. */
struct view {
    struct snapshot snap;
    bool have_snap;
    enum link_state link;
    struct err link_err;
    uint64_t now_ms;
    char vm[MODEL_NAME_MAX]; /* the VM on screen */
    char hub[130];           /* the sandbox's hub on screen; "": it has one only */
    bool root;               /* only one screen is open: going back would leave */
    char toast[160];         /* one-line answer to the last act */
    enum light toast_light;
};
const struct vm_status *view_vm(const struct view *view); /* NULL: there is none */
const struct job_status *view_job(const struct view *view, const char *id); /* NULL: not known */
const struct job_status *view_running_job(const struct view *view);
const struct module_status *view_module(const struct view *view, const char *name);

/* An answer of the engine to what a screen asked. */
enum reply_kind {
    REPLY_DONE,
    REPLY_JOB,
    REPLY_HOST_REPORT,
    REPLY_PLAN,
    REPLY_STREAM,
    REPLY_METRICS,
    REPLY_TPM,
    REPLY_DEVICES,  /* of the sandbox */
    REPLY_DEVICE,   /* one of them, with its modules */
    REPLY_DOCUMENT, /* JSON of a device */
};
struct reply {
    enum reply_kind kind;
    const char *what;      /* "restart vision-ai": for messages */
    const struct err *err; /* set: it failed, nothing below is valid */
    const char *id;        /* JOB, STREAM; TPM: for its enrolment */
    const struct host_report *report;
    const struct vm_plan *plan;
    struct metric_set *metrics;           /* a screen may steal a series */
    const struct sandbox_device *devices; /* DEVICES; DEVICE: it, then its modules */
    size_t n_devices;
    uint64_t total;         /* DEVICES: how many there are */
    const char *connection; /* DEVICE: its connection string, a secret; NULL where it has none */
    bool existed;           /* DEVICE: it was to be made, and was there already */
    const char *module;     /* DOCUMENT: of a twin, whose; "": the device's */
    const char *text;       /* DOCUMENT: a member a line; TPM: its endorsement key */
    unsigned status;        /* DOCUMENT: what a method answered with */
};

/* Lines of a followed log. */
struct log_batch {
    const char *stream;
    const struct log_entry *entries;
    size_t n;
    bool end;
    const struct err *err; /* why it ended; NULL: fine */
};

enum tab { TAB_NONE = -1, TAB_DASH, TAB_MODULES, TAB_LOGS, TAB_METRICS, TAB_VM, TAB_COUNT };

struct ui;

struct screen {
    const char *title;
    enum tab tab;
    size_t state_size;             /* zeroed memory for each open screen */
    const enum action_id *actions; /* in the order of the hint line; ends with ACTION_NONE */
    bool overlay;                  /* drawn over the screen below */
    bool form;                     /* letters and digits are typed, not commands */

    void (*enter)(struct ui *ui, void *state, const void *arg);
    void (*leave)(struct ui *ui, void *state); /* end streams, free what state owns */
    void (*draw)(const struct view *view, void *state, struct surface *s, struct area body);
    /* Optional: */
    void (*crumb)(const struct view *view, const void *state, char *to,
                  size_t size); /* instead of title */
    bool (*enabled)(const struct view *view, const void *state, enum action_id id);
    bool (*on_key)(struct ui *ui, void *state, const struct key *key);       /* true: taken */
    bool (*on_action)(struct ui *ui, void *state, enum action_id id);        /* true: taken */
    bool (*on_reply)(struct ui *ui, void *state, const struct reply *reply); /* true: taken */
    void (*on_log)(struct ui *ui, void *state, const struct log_batch *batch);
    void (*on_ready)(struct ui *ui, void *state); /* the engine was gone and is back */
    void (*on_tick)(struct ui *ui, void *state);  /* about every 2 s */
};

struct ui_ops {
    void (*call)(void *arg, const char *method, cJSON *take_params, uint64_t timeout_ms,
                 rpc_reply_fn fn, void *fn_arg);
    void (*changed)(void *arg); /* an answer came: draw again; may be NULL */
    void *arg;
};

struct ui *ui_new(const struct ui_ops *ops);
void ui_free(struct ui *ui);
struct view *ui_view(struct ui *ui);
const struct ui_ops *ui_ops(struct ui *ui);

/* The stack. ARG is handed to enter() and borrowed for the call. */
void ui_push(struct ui *ui, const struct screen *screen, const void *arg);
void ui_pop(struct ui *ui);
void ui_close(struct ui *ui, const void *state); /* the screen with STATE and those above it */
void ui_reset(struct ui *ui, const struct screen *screen, const void *arg); /* closes all others */
/* Where REPLY is a job that began: it over the dashboard, in place of all else, REPLY's screen too.
 */
bool ui_show_job(struct ui *ui, const struct reply *reply);
const struct screen *ui_top(struct ui *ui, void **ret_state);
bool ui_quitting(const struct ui *ui);

/* Tell the person. */
void ui_toast(struct ui *ui, enum light light, const char *fmt, ...) ATTR_PRINTF(3, 4);
void ui_fail(struct ui *ui, const char *what, const struct err *err); /* opens a box */

/* From outside. */
void ui_key(struct ui *ui, const struct key *key);
void ui_snapshot(struct ui *ui); /* view.snap was renewed */
void ui_log(struct ui *ui, const struct log_batch *batch);
void ui_ready(struct ui *ui, bool again); /* the engine answers (again) */
void ui_lost(struct ui *ui, const struct err *why);
void ui_tick(struct ui *ui);
bool ui_wants_text(struct ui *ui);  /* a text field has the focus: a burst of letters is a paste */
bool ui_take_redraw(struct ui *ui); /* Ctrl-L was pressed since the last call */
void ui_draw(struct ui *ui, struct surface *s);

/* For replies that may come after their screen was closed. */
uint64_t ui_top_id(struct ui *ui);
void ui_reply(struct ui *ui, uint64_t screen_id, const struct reply *reply);

/* Calls under way (request_json.c); what is left of them is freed with the ui. */
struct request;
struct request **ui_requests(struct ui *ui);

/* The first screen: what fits what the engine says. Called with the first snapshot. */
void ui_choose_start(struct ui *ui);

/* The screens. */
struct dialog_arg;
extern const struct screen screen_start, screen_dash, screen_modules, screen_module, screen_sources,
    screen_log, screen_metrics, screen_plot, screen_vm, screen_help, screen_jobs, screen_job,
    screen_reattach, screen_check, screen_plan, screen_review, screen_connect, screen_connstr,
    screen_dialog, screen_message, screen_sandbox, screen_device, screen_device_new,
    screen_device_choice, screen_invoke, screen_tpm;

#endif
