/* The edge hub's scope at a cloud that says what the test wants: pages, errors, silence; and the
 * runtime's silence. */
#include "vm/guest/hub/edge_scope.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "tests/support/edge_runtime.h"
#include "tests/support/scripted.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_workload.h"

#include <poll.h>

#define PORT    18947
#define WAIT_MS 15000
#define PATH    "POST /devices/edge%3A1/modules/$edgeHub/"
#define ALL     PATH "devicesAndModulesInTargetDeviceScope"
#define ONE     PATH "getDeviceAndModuleOnBehalfOf"

static const struct request *const requests = scripted.requests;
static char dir[64], ca_file[64], nothing[1];
static struct edge_runtime runtime = {.modules = {"$edgeHub"}}, silent = {.hangs = true};
static const struct edge_settings settings = {.dir = dir,
                                              .hub = (char[]){"localhost"},
                                              .device = (char[]){"edge:1"},
                                              .hostname = (char[]){"gateway"},
                                              .https_port = PORT,
                                              .proxy = nothing,
                                              .ca_file = ca_file};
static struct edge edge = {.loop = &scripted.loop, .settings = &settings};

/* ------------------------------------------------------------------------------- the edge */

static char dropped[200];

void edge_clients_drop(struct edge_clients *c, const char *device, const char *module,
                       const char *why)
{
    size_t at = strlen(dropped);
    (void)c;
    (void)why;
    (void)snprintf(dropped + at, sizeof(dropped) - at, "%s/%s ", device, module ? module : "*");
}

static void open_scope(void)
{
    struct err err = {0};
    dropped[0] = '\0';
    edge.clients = (struct edge_clients *)&edge; /* never looked at */
    edge.workload = edge_workload_new(&scripted.loop, runtime.path);
    edge.scope = edge_scope_new(&edge, &err);
    expect(edge.scope, err.msg);
}

static void close_scope(void)
{
    edge_scope_free(edge.scope);
    edge_workload_free(edge.workload);
}

static void forget(void)
{
    char path[80];
    (void)str_format(path, sizeof(path), "%s/scope.json", dir);
    (void)unlink(path);
}

static bool known(const char *device)
{
    return edge_scope_find(edge.scope, device, "") != NULL;
}

/* One turn of the loop; false once the time is up. */
static bool turn(uint64_t since)
{
    if (uv_run(&scripted.loop, UV_RUN_NOWAIT))
        (void)poll(NULL, 0, 1);
    return clock_mono_ms() - since < WAIT_MS;
}

static void run_until_known(const char *device)
{
    uint64_t now = clock_mono_ms();
    while (!known(device) && turn(now))
        ;
}

static void run_until_asked(size_t n)
{
    uint64_t now = clock_mono_ms();
    while (scripted.n < n && turn(now))
        ;
}

/* ------------------------------------------------------------------------------- questions */

static struct {
    unsigned answers;
    struct err err;
} seen;

static void on_refreshed(void *arg, const struct err *err)
{
    (void)arg;
    seen.answers++;
    seen.err = err ? *err : (struct err){0};
}

static void never(void *arg, const struct err *err)
{
    (void)arg;
    (void)err;
    expect(false, "somebody who left was answered");
}

static void run_until_answered(unsigned answers)
{
    uint64_t now = clock_mono_ms();
    while (seen.answers < answers && turn(now))
        ;
    expect(seen.answers == answers, "another number of answers");
}

/* Asks and waits for the answer. */
static void ask(const char *device)
{
    memset(&seen, 0, sizeof(seen));
    (void)edge_scope_refresh(edge.scope, device, "", on_refreshed, NULL);
    expect(seen.answers == 0, "answered from inside");
    run_until_answered(1);
}

static void expect_answer(enum err_kind kind, const char *text)
{
    expect(seen.err.kind == kind && (!text || strstr(seen.err.msg, text)),
           seen.err.msg[0] ? seen.err.msg : "no error");
}

/* ------------------------------------------------------------------------------- cases */

#define DEVICE(id)                                                                    \
    "{\"deviceId\":\"" id "\",\"generationId\":\"1\",\"status\":\"enabled\","         \
    "\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"QUFB\"," \
    "\"secondaryKey\":\"QkJC\"}},\"capabilities\":{\"iotEdge\":false}}"
#define PAGE(devices, link) \
    "{\"devices\":[" devices "],\"modules\":[],\"continuationLink\":" link "}"
#define CASE(name, ...)                                 \
    static const struct reply script[] = {__VA_ARGS__}; \
    scripted_begin(name, script, ARRAY_LEN(script));    \
    open_scope()
#define END          \
    close_scope();   \
    scripted_done(); \
    forget()

static void test_pages(void)
{
    CASE("the scope comes in pages", SAY(200, PAGE(DEVICE("a"), "\"next/1\"")),
         SAY(200, PAGE(DEVICE("b"), "null")));
    run_until_known("b");
    expect(known("a") && known("b"), "a device is missing");
    expect(str_eq(requests[0].line, ALL) && str_eq(requests[1].line, ALL), requests[0].line);
    expect(str_eq(requests[0].body,
                  "{\"pageSize\":50,\"continuationLink\":null,\"authChain\":\"edge:1\"}"),
           requests[0].body);
    expect(strstr(requests[1].body, "\"continuationLink\":\"next/1\""), requests[1].body);
    expect(str_starts(requests[0].authorization,
                      "SharedAccessSignature sr=localhost%2Fdevices%2Fedge%3A1%2Fmodules%2F"
                      "%24edgeHub&sig="),
           "another token");
    expect(runtime.signed_for == 1, "a token for each call");
    END;
}

static void test_removed(void)
{
    CASE("what is in no page any more is removed",
         SAY(200, PAGE(DEVICE("a") "," DEVICE("b"), "null")),
         SAY(200, PAGE(DEVICE("b") "," DEVICE("c"), "null")));
    run_until_known("b");
    close_scope();
    open_scope();
    expect(known("a"), "not read from the file");
    run_until_known("c");
    expect(!known("a") && known("b"), "the wrong one is gone");
    expect(str_eq(dropped, "a/* "), dropped);
    END;
}

static void test_half(void)
{
    CASE("where a page is missing, nobody is removed",
         SAY(200, PAGE(DEVICE("a") "," DEVICE("b"), "null")),
         SAY(200, PAGE(DEVICE("c"), "\"next\"")), SAY(500, "{}"),
         SAY(200, PAGE(DEVICE("d"), "null")));
    run_until_known("b");
    close_scope();
    open_scope();
    run_until_asked(3);
    expect(known("a") && known("b") && known("c"), "somebody is gone");
    expect(!dropped[0], dropped);
    run_until_known("d");
    expect(!known("a") && !known("c"), "the next round did not settle it");
    END;
}

static void test_later(void)
{
    CASE("429: not before the time it says", SAY_AFTER("2", 429, "{\"ErrorMessage\":\"slow\"}"),
         SAY(200, PAGE(DEVICE("a"), "null")));
    ask("x");
    expect_answer(ERR_UNREACHABLE, "slow");
    ask("y");
    expect_answer(ERR_UNREACHABLE, "a moment ago");
    edge_scope_refresh_all(edge.scope);
    run_until_known("a");
    expect(scripted.n == 2 && requests[1].at_ms - requests[0].at_ms >= 2000, "too soon");
    END;
}

static void test_nonsense(void)
{
    CASE("what is no scope changes nothing", SAY(200, PAGE(DEVICE("a"), "null")), SAY(200, "{}"),
         SAY(200, "[]"), SAY(200, "hello"), SAY(200, "{\"devices\":{},\"modules\":[]}"));
    run_until_known("a");
    ask("a");
    expect_answer(ERR_PROTOCOL, "devices");
    ask("b");
    expect_answer(ERR_PROTOCOL, "devices");
    ask("c");
    expect_answer(ERR_PROTOCOL, "JSON");
    close_scope();
    open_scope();
    run_until_asked(5);
    for (int i = 0; i < 50; i++)
        (void)turn(0);
    expect(known("a") && !dropped[0], dropped);
    END;
}

static void test_one(void)
{
    CASE("one is asked for", SAY(200, PAGE("", "null")), SAY(200, PAGE(DEVICE("a"), "null")),
         SAY(404, "{\"ErrorMessage\":\"none\"}"), SAY(200, PAGE(DEVICE("c"), "null")),
         SAY(401, "{}"));
    run_until_asked(1);
    ask("first");
    expect_answer(ERR_NOT_FOUND, NULL);
    memset(&seen, 0, sizeof(seen));
    (void)edge_scope_refresh(edge.scope, "a", "", on_refreshed, NULL);
    (void)edge_scope_refresh(edge.scope, "a", "", on_refreshed, NULL);
    run_until_answered(2);
    expect(known("a") && scripted.n == 2 && str_eq(requests[1].line, ONE), "asked twice");
    expect(str_eq(requests[1].body, "{\"targetDeviceId\":\"a\",\"authChain\":\"edge:1\"}"),
           requests[1].body);
    ask("a");
    expect_answer(ERR_BUSY, "less than a minute");
    ask("b");
    expect_answer(ERR_NOT_FOUND, "none");
    ask("d");
    expect_answer(ERR_NOT_FOUND, "not in the scope");
    ask("e");
    expect_answer(ERR_AUTH, "$edgeHub");
    unsigned before = runtime.signed_for;
    ask("f");
    expect(runtime.signed_for == before + 1, "the refused token is used again");
    END;
}

static void test_unsigned(void)
{
    CASE("where the runtime signs nothing, nobody is removed", SAY(200, PAGE(DEVICE("a"), "null")));
    run_until_known("a");
    close_scope();
    runtime.modules[0] = NULL;
    open_scope();
    ask("a");
    expect_answer(ERR_UNREACHABLE, "no such module");
    expect(known("a") && scripted.n == 1 && !dropped[0], dropped);
    runtime.modules[0] = "$edgeHub";
    END;
}

static void test_limit(void)
{
    CASE("a flood of names does not reach the cloud", SAY(200, PAGE("", "null")), SAY(404, "{}"));
    run_until_asked(1);
    ask("first");
    memset(&seen, 0, sizeof(seen));
    for (unsigned i = 0; i < 50; i++) {
        char name[20];
        (void)str_format(name, sizeof(name), "n%u", i);
        (void)edge_scope_refresh(edge.scope, name, "", on_refreshed, NULL);
    }
    run_until_answered(50);
    expect(scripted.n == 31, "another number");
    ask("other");
    expect_answer(ERR_BUSY, "too many");
    END;
}

static void test_leaving(void)
{
    CASE("who waits can leave", SAY(200, PAGE("", "null")), SILENCE);
    struct edge_scope_wait *first = edge_scope_refresh(edge.scope, "a", "", never, NULL);
    run_until_asked(1);
    edge_scope_cancel(first);
    ask("first");
    struct edge_scope_wait *wait = edge_scope_refresh(edge.scope, "a", "", never, NULL);
    run_until_asked(2);
    edge_scope_cancel(wait);
    wait = edge_scope_refresh(edge.scope, "no such name", "", never, NULL);
    edge_scope_cancel(wait);
    (void)edge_scope_refresh(edge.scope, "b", "", never, NULL);
    run_until_asked(3);
    END;
}

/* ------------------------------------------------------------------------------- silence */

static struct {
    struct edge_workload *workload;
    unsigned answers;
    struct err err;
    uint64_t since_ms, ms;
} hung;

static void on_hung(void *arg, const unsigned char *digest, const struct err *err)
{
    (void)arg;
    (void)digest;
    hung.answers++;
    hung.ms = clock_mono_ms() - hung.since_ms;
    hung.err = err ? *err : (struct err){0};
}

/* More than are asked at a time. */
static void ask_silent_runtime(void)
{
    hung.workload = edge_workload_new(&scripted.loop, silent.path);
    hung.since_ms = clock_mono_ms();
    for (int i = 0; i < 20; i++)
        (void)edge_workload_sign(hung.workload, "m", false, "x", 1, on_hung, NULL);
}

static void test_silence(void)
{
    CASE("silence ends", SAY(200, PAGE(DEVICE("a"), "null")), SILENCE);
    uint64_t now = clock_mono_ms();
    run_until_known("a");
    ask("b");
    expect_answer(ERR_UNREACHABLE, "time");
    expect(clock_mono_ms() - now < 14000, "too late");
    while (hung.answers < 20 && turn(now))
        ;
    expect(hung.answers == 20 && hung.err.kind == ERR_UNREACHABLE && hung.ms < 14000, hung.err.msg);
    edge_workload_free(hung.workload);
    END;
}

int main(void)
{
    json_init();
    log_set_level(LOG_LEVEL_ERROR);
    scripted_start(PORT);
    (void)str_format(dir, sizeof(dir), "%s", scripted.dir);
    (void)str_format(ca_file, sizeof(ca_file), "%s/ca.pem", scripted.dir);
    edge_runtime_start(&silent, &scripted.loop, dir, "silent.sock");
    edge_runtime_start(&runtime, &scripted.loop, dir, "runtime.sock");
    ask_silent_runtime();
    test_pages();
    test_removed();
    test_half();
    test_nonsense();
    test_one();
    test_unsigned();
    test_limit();
    test_leaving();
    test_later();
    test_silence();
    edge_runtime_stop(&runtime);
    edge_runtime_stop(&silent);
    return scripted_end();
}
