/* The console on a terminal: what bytes go out, what a person sees, and what their keys do. */
#include "tests/support/ui_run.h"

static void case_dashboard(void)
{
    struct run r;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    bool first = wait_for(&r, "berth");
    uint64_t first_ms = clock_mono_ms() - r.start_ms;
    bool dash = wait_for(&r, "Modules (4 running)");
    printf("# exec to first frame %llu ms, to the dashboard %llu ms\n",
           (unsigned long long)first_ms, (unsigned long long)(clock_mono_ms() - r.start_ms));
    report("dashboard_appears", first && dash, "first %d, dashboard %d", first, dash);
    settle(&r);
    printf("# bytes until the dashboard stood: %zu\n", r.sent.len);
    report("first_paint_is_small", r.sent.len <= 2400, "%zu bytes", r.sent.len);

    /* A change of the minute is a change: then the five seconds are tried again. */
    size_t written = 1;
    for (int i = 0; i < 2 && written; i++) {
        size_t before = r.sent.len;
        uint64_t end = clock_mono_ms() + 5000;
        while (clock_mono_ms() < end)
            turn(&r, 100);
        written = r.sent.len - before;
    }
    report("idle_writes_nothing", written == 0, "%zu bytes in 5 s", written);

    size_t clears = count(&r, "\033[2J") + count(&r, "\033[H\033[J");
    keys(&r, "2");
    (void)wait_for(&r, "worst first");
    keys(&r, "jjk\033");
    settle(&r);
    report("no_bell_and_no_clear",
           count(&r, "\a") == 0 && count(&r, "\033[5m") == 0 &&
               count(&r, "\033[2J") + count(&r, "\033[H\033[J") == clears,
           "%zu bells, %zu clears", count(&r, "\a"), count(&r, "\033[2J"));
    keys(&r, "q");
    report("q_ends_it", wait_end(&r) && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0,
           "status %x", (unsigned)r.status);
    report("terminal_is_restored", restored(&r), "settings or modes differ");
    run_end(&r);
}

static void case_focus(void)
{
    struct run r;
    VTermPos pos;
    char row[512];
    run_start(&r, "xterm", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "2");
    (void)wait_for(&r, "worst first");
    keys(&r, "jj");
    settle(&r);
    vterm_state_get_cursorpos(vterm_obtain_state(r.vt), &pos);
    row_text(&r, pos.row, row, sizeof(row));
    report("cursor_stands_on_the_marked_row", row[1] == '>', "row %d: %s", pos.row, row);
    run_end(&r);
}

static void resize(struct run *r, int rows, int cols)
{
    const struct winsize size = {(unsigned short)rows, (unsigned short)cols, 0, 0};
    r->rows = rows;
    r->cols = cols;
    vterm_set_size(r->vt, rows, cols);
    (void)ioctl(r->master, TIOCSWINSZ, &size);
}

static void case_resize(void)
{
    struct run r;
    uint32_t seed = 11;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    resize(&r, 5, 60);
    report("too_small_says_so", wait_for(&r, "screens need 80x24"), "not seen");
    resize(&r, 43, 132);
    report("larger_again_draws_all", wait_for(&r, "IMAGE"), "not seen");
    for (int i = 0; i < 60 && !r.ended; i++) {
        seed = seed * 1664525U + 1013904223U;
        resize(&r, 1 + (int)(seed >> 8) % 60, 1 + (int)(seed >> 16) % 200);
        turn(&r, 5);
    }
    resize(&r, 24, 80);
    report("survives_many_sizes", wait_for(&r, "Modules (4 running)") && !r.ended, "ended %d",
           r.ended);
    run_end(&r);
}

static void case_paste(void)
{
    struct run r;
    auto_free char *kilobytes = xcalloc(1, 2100);
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "c");
    (void)wait_for(&r, "What should the VM be connected to");
    keys(&r, "1");
    (void)wait_for(&r, "Paste the connection string");
    memset(kilobytes, 'q', 2048);
    keys(&r, "\033[200~");
    keys(&r, kilobytes);
    keys(&r, "\r\n\033[201~");
    report("bracketed_paste_of_2_KB_comes_whole", wait_for(&r, "2048 characters"), "not seen");
    keys(&r, "\025");
    (void)wait_for(&r, "In the Azure portal");
    keys(&r, CONNSTR "\n");
    report("plain_paste_fires_no_command",
           wait_for(&r, "116 characters") && wait_for(&r, "[OK] Complete"), "not seen");
    settle(&r);
    report("no_command_came_of_it", !str_eq(r.method, "provision.connection_string"),
           "it was sent");
    keys(&r, "\r");
    (void)wait_for(&r, "Job 7c1e");
    report("enter_sends_it",
           str_eq(r.method, "provision.connection_string") && strstr(buf_str(&r.params), CONNSTR),
           "%s %s", r.method, buf_str(&r.params));
    report("the_secret_is_on_no_screen", count(&r, "c2Vj") == 0, "it was written");
    run_end(&r);
}

static void push_lines(struct run *r, int n)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "stream", "s1");
    cJSON *entries = json_add_array(params, "entries");
    for (int i = 0; i < n; i++) {
        char text[80];
        cJSON *e = cJSON_CreateObject();
        r->stream_seq++;
        (void)str_format(text, sizeof(text), "value %llu \xe2\x82\xac of the generator",
                         (unsigned long long)r->stream_seq);
        json_add_u64(e, "seq", r->stream_seq);
        json_add_u64(e, "gap", 0);
        json_add_u64(e, "at", clock_wall_ms());
        json_add_u64(e, "stream", 1);
        json_add_str(e, "text", text);
        json_push(entries, e);
    }
    engine_send(r, message_event("event.log", params));
}

static void case_log_flood(void)
{
    struct run r;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "3");
    (void)wait_for(&r, "Whose log?");
    keys(&r, "\r");
    (void)wait_for(&r, "FOLLOW");
    uint64_t end = clock_mono_ms() + 3000;
    uint64_t start = clock_mono_ms();
    while (clock_mono_ms() < end) { /* 5,000 lines/s */
        if (r.stream_seq < (clock_mono_ms() - start) * 5)
            push_lines(&r, 200);
        turn(&r, 5);
    }
    uint64_t pressed = clock_mono_ms();
    keys(&r, " ");
    bool paused = wait_for(&r, "PAUSED");
    uint64_t took = clock_mono_ms() - pressed;
    printf("# 5,000 lines/s: key to visible %llu ms, %zu bytes out for %llu lines\n",
           (unsigned long long)took, r.sent.len, (unsigned long long)r.stream_seq);
    report("a_flood_leaves_the_keys_alive", paused && took < 1000, "%llu ms",
           (unsigned long long)took);
    char text[64];
    settle(&r);
    (void)str_format(text, sizeof(text), "%llu lines", (unsigned long long)r.stream_seq);
    report("no_line_is_lost", shows(&r, text) && !shows(&r, "gap"), "%s not shown", text);
    run_end(&r);
}

static void send_event(struct run *r, uint64_t seq, const char *text)
{
    cJSON *params = cJSON_CreateObject();
    cJSON *entry = cJSON_CreateObject();
    json_add_str(params, "stream", "sandbox-1");
    json_push(json_add_array(params, "entries"), entry);
    json_add_u64(entry, "seq", seq);
    json_add_u64(entry, "at", clock_wall_ms());
    json_add_str(entry, "deviceId", "pump-07");
    json_add_str(entry, "text", text);
    json_add_u64(entry, "size", strlen(text));
    engine_send(r, message_event("event.sandbox", params));
}

static void case_sandbox(void)
{
    struct run r;
    snap.sandbox.light = LIGHT_OK;
    STR_SET(snap.sandbox.host, "sandbox.berth.internal");
    snap.sandbox.mqtt_port = 8883;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    settle(&r);
    size_t before = r.sent.len;
    keys(&r, "O");
    bool list = wait_for(&r, "Devices (2, 1 connected)") && wait_for(&r, "[OK] connected");
    settle(&r);
    report("the_sandbox_shows_its_devices", list, "no list");
    report("its_first_paint_is_small", r.sent.len - before <= 2400, "%zu bytes",
           r.sent.len - before);
    before = r.sent.len;
    uint64_t end = clock_mono_ms() + 5000;
    while (clock_mono_ms() < end)
        turn(&r, 100);
    report("asking_again_writes_nothing", r.sent.len - before <= 10, "%zu bytes in 5 s",
           r.sent.len - before);

    send_event(&r, 1,
               "hello \033]0;title\a\033[2J \xc2\x9b"
               "31m");
    report("an_event_arrives_as_it_is_sent", wait_for(&r, "hello ^[]0;title^G^[[2J"), "no event");
    report("and_moves_no_cursor", count(&r, "\033]0;") == 0 && count(&r, "\a") == 0, "it does");

    keys(&r, "\r");
    bool twin = wait_for(&r, "\"interval\": 5");
    report("a_device_shows_its_twin", twin && wait_for(&r, "Sandbox > pump-07"), "no twin");
    report("its_key_is_hidden", count(&r, SECRET) == 0, "the key went out");
    keys(&r, "S");
    report("until_it_is_asked_for", wait_for(&r, "HostName=contoso-hub"), "no string");
    keys(&r, "S");
    report("and_hidden_again", wait_for(&r, "hidden; S shows"), "still there");
    keys(&r, "\033");
    (void)wait_for(&r, "Devices (2, 1 connected)");
    run_end(&r);
    run_start(&r, "vt100", "NO_COLOR", 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "o");
    report("on_a_serial_line_too", wait_for(&r, "[!]  disabled"), "no list");
    run_end(&r);
    snap.sandbox.light = LIGHT_OFF;
}

static void case_engine_lost(void)
{
    struct run r;
    run_start(&r, "xterm", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    (void)shutdown(r.client, SHUT_RDWR);
    (void)close(r.client);
    r.client = -1;
    bool gone = wait_for(&r, "no engine");
    bool back = wait_for(&r, "Cloud");
    report("a_lost_engine_is_said_and_found_again", gone && back, "gone %d, back %d", gone, back);
    run_end(&r);
}

int main(void)
{
    setup();
    case_dashboard();
    case_focus();
    case_resize();
    case_paste();
    case_log_flood();
    case_sandbox();
    case_engine_lost();
    return teardown();
}
