/* See app.h. One loop, one thread: the terminal, signals, the connection to the engine and a slow
 * tick each mark the picture as old; it is drawn at most once a turn, when the pacer allows. */
#include "tui/app.h"

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/rpc/client.h"
#include "tui/pacer.h"
#include "tui/request.h"
#include "tui/term.h"
#include "tui/ui.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define TICK_MS    2000
#define HOLD_MS    30
#define EXIT_USAGE 2

enum app_signal { APP_WINCH, APP_TERM, APP_HUP, APP_INT, APP_TSTP, APP_SIGNALS };
static const int signal_numbers[] = {
    [APP_WINCH] = SIGWINCH, [APP_TERM] = SIGTERM, [APP_HUP] = SIGHUP,
    [APP_INT] = SIGINT,     [APP_TSTP] = SIGTSTP,
};
_Static_assert(ARRAY_LEN(signal_numbers) == APP_SIGNALS, "a number for each signal");

struct app {
    uv_loop_t loop;
    uv_poll_t input;
    uv_prepare_t before_wait;
    uv_timer_t tick, frame;
    uv_signal_t signals[APP_SIGNALS];
    struct rpc_client *client;
    struct ui *ui;
    struct surface *surface;
    struct pacer pacer;
    bool dirty;
    uint64_t hold_ms; /* the first frame waits so long for what the engine says; 0: it was drawn */
    bool gone;        /* the terminal is no longer there */
    bool was_ready;
    int code;
};

static void draw_if_due(struct app *app);

/* ---- from the engine */

static void call(void *arg, const char *method, cJSON *take_params, uint64_t timeout_ms,
                 rpc_reply_fn fn, void *fn_arg)
{
    struct app *app = arg;
    rpc_call(app->client, method, take_params, timeout_ms, fn, fn_arg);
}

static void changed(void *arg)
{
    struct app *app = arg;
    app->dirty = true;
}

static void on_ready(void *arg)
{
    struct app *app = arg;
    ui_ready(app->ui, app->was_ready);
    app->was_ready = true;
    app->dirty = true;
    request_watch(app->ui);
}

static void on_event(void *arg, const char *method, const cJSON *params)
{
    struct app *app = arg;
    request_event(app->ui, method, params);
    app->dirty = true;
}

static void on_lost(void *arg, const struct err *why)
{
    struct app *app = arg;
    ui_lost(app->ui, why);
    app->dirty = true;
}

/* ---- from the terminal */

static void read_keys(struct app *app)
{
    struct key key;
    for (;;) {
        enum term_event event = term_next_key(ui_wants_text(app->ui), &key);
        if (event == TERM_NOTHING)
            return;
        if (event == TERM_ACK)
            pacer_answer(&app->pacer);
        else
            ui_key(app->ui, &key);
        app->dirty = true;
        if (ui_quitting(app->ui))
            uv_stop(&app->loop);
    }
}

static void on_input(uv_poll_t *handle, int status, int events)
{
    struct app *app = handle->data;
    if (status < 0 || (events & UV_DISCONNECT)) {
        app->gone = true;
        uv_stop(&app->loop);
        return;
    }
    read_keys(app);
}

static void suspend(struct app *app)
{
    term_suspend();
    (void)raise(SIGSTOP);
    term_resume();
    app->pacer.in_flight = false;
    app->dirty = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *app = handle->data;
    const struct key interrupt = {.sym = KEYSYM_CTRL_C};
    if (number == SIGWINCH) {
        term_resize();
        app->dirty = true;
    } else if (number == SIGTSTP) {
        suspend(app);
    } else if (number == SIGINT) {
        ui_key(app->ui, &interrupt);
        if (ui_quitting(app->ui))
            uv_stop(&app->loop);
    } else {
        app->code = 128 + number;
        app->gone = number == SIGHUP;
        uv_stop(&app->loop);
    }
}

/* ---- the picture */

static void on_tick(uv_timer_t *handle)
{
    struct app *app = handle->data;
    ui_view(app->ui)->now_ms = clock_wall_ms();
    ui_tick(app->ui);
    app->dirty = true;
}

static void on_frame(uv_timer_t *handle)
{
    struct app *app = handle->data;
    app->dirty = true;
}

static void on_before_wait(uv_prepare_t *handle)
{
    draw_if_due(handle->data);
}

static void draw(struct app *app)
{
    int h = 0;
    int w = 0;
    app->dirty = false;
    app->hold_ms = 0;
    term_size(&h, &w);
    if (app->surface->h != h || app->surface->w != w)
        surface_resize(app->surface, h, w);
    ui_view(app->ui)->now_ms = clock_wall_ms();
    ui_draw(app->ui, app->surface);
    if (ui_take_redraw(app->ui))
        term_repaint();
    if (term_draw(app->surface, pacer_asks(&app->pacer)))
        pacer_sent(&app->pacer, clock_mono_ms());
}

static void draw_if_due(struct app *app)
{
    while (app->dirty) {
        uint64_t now = clock_mono_ms();
        uint64_t wait = pacer_wait(&app->pacer, now);
        if (app->hold_ms > now && ui_view(app->ui)->link == LINK_CONNECTING)
            wait = app->hold_ms - now;
        if (wait) {
            (void)uv_timer_start(&app->frame, on_frame, wait, 0);
            return;
        }
        draw(app);
        read_keys(app); /* curses may have read ahead while it drew */
    }
}

/* ---- start and end */

static void app_start(struct app *app, const struct app_options *options)
{
    static const struct rpc_client_events events = {on_ready, on_event, on_lost};
    const struct rpc_client_options client = {
        .start_engine = !(options && options->no_start),
        .reconnect = true,
    };
    const struct ui_ops ops = {call, changed, app};
    int h = 0;
    int w = 0;
    term_size(&h, &w);
    app->surface = surface_new(h, w);
    app->pacer.can_ack = term_can_ack();
    app->ui = ui_new(&ops);
    (void)uv_loop_init(&app->loop);
    (void)uv_poll_init(&app->loop, &app->input, term_fd());
    (void)uv_prepare_init(&app->loop, &app->before_wait);
    (void)uv_timer_init(&app->loop, &app->tick);
    (void)uv_timer_init(&app->loop, &app->frame);
    app->input.data = app->before_wait.data = app->tick.data = app->frame.data = app;
    (void)uv_poll_start(&app->input, UV_READABLE | UV_DISCONNECT, on_input);
    (void)uv_prepare_start(&app->before_wait, on_before_wait);
    (void)uv_timer_start(&app->tick, on_tick, TICK_MS, TICK_MS);
    for (int i = 0; i < APP_SIGNALS; i++) {
        (void)uv_signal_init(&app->loop, &app->signals[i]);
        app->signals[i].data = app;
        (void)uv_signal_start(&app->signals[i], on_signal, signal_numbers[i]);
    }
    app->dirty = true;
    app->hold_ms = clock_mono_ms() + HOLD_MS;
    app->client = rpc_client_new(&app->loop, &client, &events, app);
}

static void app_end(struct app *app)
{
    rpc_client_free(app->client);
    app->client = NULL;
    uv_close((uv_handle_t *)&app->input, NULL);
    uv_close((uv_handle_t *)&app->before_wait, NULL);
    uv_close((uv_handle_t *)&app->tick, NULL);
    uv_close((uv_handle_t *)&app->frame, NULL);
    for (int i = 0; i < APP_SIGNALS; i++)
        uv_close((uv_handle_t *)&app->signals[i], NULL);
    (void)uv_run(&app->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&app->loop);
    surface_free(app->surface);
}

int app_run(const struct app_options *options)
{
    struct app app;
    struct err err;
    memset(&app, 0, sizeof(app));
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (term_open(&err) < 0) {
        (void)fprintf(stderr, "berth: %s\n  %s\n", err.msg, err.hint);
        return err.kind == ERR_UNSUPPORTED ? EXIT_USAGE : 1;
    }
    app_start(&app, options);
    (void)uv_run(&app.loop, UV_RUN_DEFAULT);
    term_close();
    ui_free(app.ui);
    app_end(&app);
    return app.code;
}
