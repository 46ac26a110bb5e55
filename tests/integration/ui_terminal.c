/* The console and its terminal: of which kind it may be, and that it is as before afterwards,
 * however the console ends. */
#include "tests/support/ui_run.h"

static void case_signal(const char *name, int number, bool clean)
{
    struct run r;
    char label[64];
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    (void)kill(r.pid, number);
    bool ended = wait_end(&r);
    (void)str_format(label, sizeof(label), "terminal_is_restored_after_%s", name);
    report(label, ended && restored(&r), "ended %d", ended);
    if (clean)
        report("sigterm_ends_with_143", WIFEXITED(r.status) && WEXITSTATUS(r.status) == 143,
               "status %x", (unsigned)r.status);
    run_end(&r);
}

static void case_hangup(void)
{
    struct run r;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    (void)close(r.slave);
    (void)close(r.master);
    r.master = open("/dev/null", O_RDWR | O_CLOEXEC);
    r.slave = open("/dev/null", O_RDWR | O_CLOEXEC);
    uint64_t end = clock_mono_ms() + WAIT_MS;
    while (!r.ended && clock_mono_ms() < end) {
        struct pollfd none = {-1, 0, 0};
        (void)poll(&none, 1, 20);
        r.ended = waitpid(r.pid, &r.status, WNOHANG) == r.pid;
    }
    report("a_closed_terminal_ends_it", r.ended, "still runs");
    run_end(&r);
}

static void case_terminals(void)
{
    static const char *const names[] = {"vt100",         "vt220",  "linux", "xterm",
                                        "tmux-256color", "screen", "ansi",  "xterm-mono"};
    char label[80];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct run r;
        run_start(&r, names[i], NULL, 24, 80);
        bool dash = wait_for(&r, "Modules (4 running)") && shows(&r, "[OK] running");
        (void)str_format(label, sizeof(label), "works_on_%s", names[i]);
        report(label, dash, "no dashboard");
        keys(&r, "q");
        (void)wait_end(&r);
        run_end(&r);
    }
}

static void case_no_colour(void)
{
    struct run r;
    run_start(&r, "xterm-256color", "NO_COLOR", 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    settle(&r);
    size_t colours = count(&r, "\033[32m") + count(&r, "\033[33m") + count(&r, "\033[31m");
    report("no_colour_means_none", colours == 0, "%zu colours", colours);
    run_end(&r);
}

static void case_silent_terminal(void)
{
    struct run r;
    run_start(&r, "xterm", NULL, 24, 80);
    r.answers = false;
    bool dash = wait_for(&r, "Modules (4 running)");
    keys(&r, "5");
    bool vm = wait_for(&r, "System image");
    keys(&r, "2");
    bool modules = wait_for(&r, "worst first");
    report("a_terminal_that_never_answers_works_too", dash && vm && modules, "%d %d %d", dash, vm,
           modules);
    run_end(&r);
}

static void case_dumb(const char *term)
{
    struct run r;
    char label[64];
    run_start(&r, term, NULL, 24, 80);
    bool ended = wait_end(&r);
    (void)str_format(label, sizeof(label), "TERM_%s_names_the_commands", *term ? term : "empty");
    report(label,
           ended && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 2 && count(&r, "\033") == 0 &&
               shows(&r, "berth status"),
           "status %x, %zu escapes", (unsigned)r.status, count(&r, "\033"));
    run_end(&r);
}

int main(void)
{
    setup();
    case_signal("SIGTERM", SIGTERM, true);
    case_signal("SIGSEGV", SIGSEGV, false);
    case_signal("SIGABRT", SIGABRT, false);
    case_hangup();
    case_terminals();
    case_no_colour();
    case_silent_terminal();
    case_dumb("dumb");
    case_dumb("no-such-terminal");
    case_dumb("");
    return teardown();
}
