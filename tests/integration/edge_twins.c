/* The edge hub's twins, with a real store: what clients are told while the cloud comes and goes,
 * and what becomes of what they reported. */
#include "tests/support/edge_neighbours.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TWIN(desired, reported) "{\"desired\":{" desired "},\"reported\":{" reported "}}"

static void get(const char *module, const char *rid)
{
    edge_twins_get(world.edge.twins, "d", module, rid);
}

static void tell(const char *module, const char *rid, const char *patch)
{
    edge_twins_report(world.edge.twins, "d", module, rid, patch, strlen(patch), NULL);
}

static void desired(const char *module, uint64_t version, const char *patch)
{
    edge_twins_desired(world.edge.twins, "d", module, version, patch, strlen(patch));
}

static void go_online(const char *module)
{
    world.online = true;
    edge_twins_online(world.edge.twins, "d", module);
}

/* The process ends and begins again. */
static void restart(void)
{
    edge_twins_free(world.edge.twins);
    edge_store_close(world.edge.store);
    while (world.calls)
        take_call(world.calls);
    open_store();
    world.edge.twins = edge_twins_new(&world.edge);
}

static bool is_called(void)
{
    return world.calls != NULL;
}

static bool nothing_goes_on(void)
{
    return !world.calls && world.said.len == 0;
}

/* ---- questions ---- */

static void test_questions(void)
{
    const char *twin = TWIN("\"a\":1,\"$version\":3", "\"r\":2,\"$version\":5");

    get("get", "1");
    get("get", "2");
    get("get", "3");
    report("those who wait for one twin share a question",
           count_calls() == 1 && is_call("d/get", NULL) && said(""));
    answer(200, 0, twin);
    report("each of them gets the twin",
           said("1:200:" TWIN(
               "\"a\":1,\"$version\":3",
               "\"r\":2,\"$version\":5") "\n"
                                         "2:200:" TWIN(
                                             "\"a\":1,\"$version\":3",
                                             "\"r\":2,\"$version\":5") "\n"
                                                                       "3:200:" TWIN(
                                                                           "\"a\":1,\"$version\":"
                                                                           "3",
                                                                           "\"r\":2,\"$version\":"
                                                                           "5") "\n"));
    get("get", "4");
    go_offline();
    report("without the cloud the twin comes from the store",
           said("4:200:" TWIN("\"a\":1,\"$version\":3", "\"r\":2,\"$version\":5") "\n"));
    get("new", "5");
    go_offline();
    report("a twin that nobody knows is 404", said("5:404\n"));
    world.online = true;
    get("get", "6");
    answer(404, 0, "");
    report("a twin that the cloud does not know is 404", said("6:404\n"));
    get("get", "6");
    go_offline();
    report("and forgotten", said("6:404\n"));
    world.online = true;
    get("get", "6");
    answer(200, 0, twin);
    buf_clear(&world.said);
    get("get", "7");
    answer(200, 0, "{\"desired\":");
    report("an answer that makes no sense counts for none",
           said("7:200:" TWIN("\"a\":1,\"$version\":3", "\"r\":2,\"$version\":5") "\n"));
    for (int i = 0; i < 64; i++)
        get("many", "m");
    get("many", "65");
    report("a client's questions are bounded", said("65:429\n") && count_calls() == 1);
    go_offline();
    buf_clear(&world.said);
    world.online = true;
}

/* ---- reports ---- */

static void test_reports(void)
{
    const uint64_t old = 4;

    get("rep", "0");
    answer(200, 0, TWIN("\"$version\":1", "\"old\":1,\"$version\":4"));
    buf_clear(&world.said);
    buf_clear(&world.messages);
    tell("rep", "1", "{\"a\":{\"x\":1}}");
    report("a report is acknowledged with its version", said("1:204:5\n"));
    report("a report is a message for routes",
           str_eq(buf_str(&world.messages),
                  "1 d rep %24.ct=application%2Fjson&%24.ce=utf-8&%24.schema=twinChangeNotification"
                  " {\"properties\":{\"reported\":{\"a\":{\"x\":1}}}}\n"));
    tell("rep", "2", "{\"a\":{\"x\":2}}");
    tell("rep", "3", "{\"old\":null}");
    report("one report at a time is sent",
           count_calls() == 1 && is_call("d/rep", "{\"a\":{\"x\":1}}"));
    answer(204, 5, "");
    report("what came meanwhile is sent as one",
           count_calls() == 1 && is_call("d/rep", "{\"a\":{\"x\":2},\"old\":null}"));
    get("rep", "4");
    answer(204, 6, "");
    report("a question waits for the report before it", is_call("d/rep", NULL));
    answer(200, 0, TWIN("\"$version\":1", "\"a\":{\"x\":2},\"$version\":6"));
    report("and the client sees its own numbers",
           said("2:204:6\n3:204:7\n4:200:" TWIN("\"$version\":1",
                                                "\"a\":{\"x\":2},\"$version\":7") "\n"));
    edge_twins_report(world.edge.twins, "d", "rep", "5", "{\"a\":1}", 7, &old);
    report("a report that builds on an older version is 412", said("5:412\n"));
    tell("rep", "6", "{\"x.y\":1}");
    tell("rep", "7", "{");
    report("what the cloud would refuse is 400 here", said("6:400\n7:400\n"));
    world.full = true;
    tell("rep", "8", "{\"a\":3}");
    world.full = false;
    report("a report for which there is no room is not acknowledged",
           said("8:500\n") && nothing_goes_on());
}

static void test_refused(void)
{
    get("ref", "0");
    answer(200, 0, TWIN("\"$version\":1", "\"$version\":1"));
    tell("ref", "1", "{\"big\":1}");
    tell("ref", "2", "{\"fine\":1}");
    buf_clear(&world.said);
    answer(400, 0, "");
    report("a report that the cloud refuses is dropped, and the twin read again",
           is_call("d/ref", NULL));
    answer(200, 0, TWIN("\"$version\":1", "\"$version\":1"));
    report("what waits behind it is sent", is_call("d/ref", "{\"fine\":1}"));
    answer(204, 2, "");
    get("ref", "3");
    go_offline();
    world.online = true;
    report("what was refused is not shown any more",
           said("3:200:" TWIN("\"$version\":1", "\"fine\":1,\"$version\":4") "\n"));
    tell("ref", "4", "{\"later\":1}");
    answer(429, 0, "");
    report("a cloud that is busy is left in peace", !world.calls && said("4:204:5\n"));
    report("and told again", wait_until(is_called) && is_call("d/ref", "{\"later\":1}"));
    answer(204, 3, "");
}

static void test_offline(void)
{
    get("off", "0");
    answer(200, 0, TWIN("\"$version\":1", "\"s\":{\"old\":1},\"$version\":1"));
    go_offline();
    buf_clear(&world.said);
    tell("off", "1", "{\"n\":1}");
    go_offline();
    tell("off", "2", "{\"n\":2,\"s\":null}");
    tell("off", "3", "{\"s\":{\"new\":1}}");
    report("reports are acknowledged without the cloud, which is not pestered",
           said("1:204:2\n2:204:3\n3:204:4\n") && !world.calls);
    get("off", "4");
    go_offline();
    report("the client reads what it reported",
           said("4:200:" TWIN("\"$version\":1", "\"n\":2,\"s\":{\"new\":1},\"$version\":4") "\n"));
    go_online("off");
    report("when the cloud is back, it is told in few words", is_call("d/off", "{\"s\":null}"));
    answer(204, 2, "");
    report("and the twin is read", is_call("d/off", NULL));
    answer(200, 0, TWIN("\"$version\":1", "\"$version\":2"));
    report("of two changes that are not one, the second comes second",
           is_call("d/off", "{\"n\":2,\"s\":{\"new\":1}}"));
    answer(204, 3, "");
    report("then there is nothing more to say", nothing_goes_on());
}

/* ---- desired ---- */

static void test_desired(void)
{
    get("des", "0");
    answer(200, 0, TWIN("\"a\":1,\"$version\":3", "\"$version\":1"));
    buf_clear(&world.said);
    desired("des", 4, "{\"b\":2,\"$version\":4}");
    report("a change is passed on", said("desired:4:{\"b\":2,\"$version\":4}\n") && !world.calls);
    desired("des", 4, "{\"b\":2,\"$version\":4}");
    desired("des", 2, "{\"b\":9,\"$version\":2}");
    report("an old one is not", nothing_goes_on());
    desired("des", 6, "{\"d\":1,\"$version\":6}");
    report("where one was missed, the whole is asked for", is_call("d/des", NULL) && said(""));
    desired("des", 7, "{\"e\":1,\"$version\":7}");
    answer(200, 0, TWIN("\"a\":1,\"b\":2,\"c\":1,\"d\":1,\"$version\":6", "\"$version\":1"));
    report("an answer older than what came since is asked for again",
           is_call("d/des", NULL) && said(""));
    answer(200, 0, TWIN("\"b\":2,\"c\":1,\"d\":1,\"e\":1,\"$version\":7", "\"$version\":1"));
    report("the client is told what it missed",
           said("desired:7:{\"a\":null,\"c\":1,\"d\":1,\"e\":1,\"$version\":7}\n"));
    go_offline();
    go_online("des");
    answer(200, 0, TWIN("\"b\":3,\"$version\":9", "\"$version\":1"));
    report("so it is after the cloud was away",
           said("desired:9:{\"c\":null,\"d\":null,\"e\":null,\"b\":3,\"$version\":9}\n"));
    go_online("des");
    answer(200, 0, TWIN("\"b\":3,\"$version\":9", "\"$version\":1"));
    report("where nothing changed, it is told nothing", nothing_goes_on());
    go_online("des");
    get("des", "1");
    answer(200, 0, TWIN("\"b\":4,\"$version\":10", "\"$version\":1"));
    report("who asks gets the whole, once",
           said("1:200:" TWIN("\"b\":4,\"$version\":10", "\"$version\":1") "\n"));
    world.connected = false;
    go_online("des");
    report("for a client that is not here nothing is read", nothing_goes_on());
    world.connected = true;
}

/* ---- restarts ---- */

static void test_restarts(void)
{
    get("res", "0");
    answer(200, 0, TWIN("\"a\":1,\"$version\":3", "\"$version\":1"));
    tell("res", "1", "{\"n\":1}");
    buf_clear(&world.said);
    (void)commit();
    restart();
    report("a report that was under way is sent again after a restart",
           wait_until(is_called) && is_call("d/res", "{\"n\":1}"));
    tell("res", "2", "{\"n\":2}");
    (void)commit();
    restart();
    (void)wait_until(is_called);
    report("and what came behind it stays behind it", is_call("d/res", "{\"n\":1}"));
    answer(204, 2, "");
    report("(the second)", is_call("d/res", "{\"n\":2}"));
    go_offline();
    world.online = true;
    restart();
    report("a report that waited is sent after a restart",
           wait_until(is_called) && is_call("d/res", "{\"n\":2}"));
    answer(204, 3, "");
    buf_clear(&world.said);
    restart();
    (void)uv_run(&world.loop, UV_RUN_NOWAIT);
    report("what the cloud took is not sent again", nothing_goes_on());
    get("res", "3");
    go_offline();
    world.online = true;
    report("the twin survives",
           said("3:200:" TWIN("\"a\":1,\"$version\":3", "\"n\":2,\"$version\":3") "\n"));
}

/* Another process takes a report, makes it durable or not, and is killed. */
static void take_and_die(bool durable)
{
    int pipes[2], status;
    char byte;
    pid_t pid;

    edge_twins_free(world.edge.twins);
    edge_store_close(world.edge.store);
    if (pipe2(pipes, O_CLOEXEC) < 0)
        abort();
    pid = fork();
    if (pid == 0) {
        open_store();
        world.edge.twins = edge_twins_new(&world.edge);
        tell("kill", "1", durable ? "{\"kept\":1}" : "{\"lost\":1}");
        if (durable && !commit())
            _exit(1);
        (void)!write(pipes[1], "x", 1);
        (void)pause();
    }
    (void)!read(pipes[0], &byte, 1);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    open_store();
    world.edge.twins = edge_twins_new(&world.edge);
}

static void test_kills(void)
{
    take_and_die(true);
    report("what was acknowledged is sent after a kill",
           wait_until(is_called) && is_call("d/kill", "{\"kept\":1}"));
    answer(204, 2, "");
    (void)commit();
    take_and_die(false);
    (void)uv_run(&world.loop, UV_RUN_NOWAIT);
    report("what was not is gone, and the client will say it again", nothing_goes_on());
}

/* ---- disks ---- */

/* The writes of one turn are lost: its report was not acknowledged, but is under way. */
static void test_full_disk(void)
{
    struct rlimit limit, none = {0};

    (void)signal(SIGXFSZ, SIG_IGN);
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    none.rlim_max = limit.rlim_max;
    tell("disk", "1", "{\"n\":1}");
    (void)setrlimit(RLIMIT_FSIZE, &none);

    bool failed = !commit();

    (void)setrlimit(RLIMIT_FSIZE, &limit);
    report("a turn that cannot be written is not acknowledged",
           failed && is_call("d/disk", "{\"n\":1}"));
    buf_clear(&world.said);
    tell("disk", "2", "{\"m\":1}");
    report("the next one is", commit() && said("2:204:1\n"));
    answer(204, 1, "");
    report("and not lost with the one before it", is_call("d/disk", "{\"m\":1}"));
    answer(204, 2, "");
    (void)commit();
    report("(then all is said)", nothing_goes_on());
}

static void test_damage(void)
{
    int fd;

    edge_twins_free(world.edge.twins);
    edge_store_close(world.edge.store);
    fd = open(world.path, O_WRONLY | O_CLOEXEC);
    (void)!pwrite(fd, "not a database at all", 21, 0);
    (void)close(fd);
    open_store();
    world.edge.twins = edge_twins_new(&world.edge);
    report("a damaged database is set aside", file_exists(edge_store_set_aside(world.edge.store)));
    get("res", "1");
    answer(200, 0, TWIN("\"a\":1,\"$version\":3", "\"n\":2,\"$version\":3"));
    report("and the twins come from the cloud again",
           commit() &&
               said("1:200:" TWIN("\"a\":1,\"$version\":3", "\"n\":2,\"$version\":3") "\n"));
}

/* ---- many ---- */

#define MANY 500

static bool are_all_called(void)
{
    return count_calls() == MANY;
}

static void test_many(void)
{
    uint64_t began = clock_mono_ms();
    char module[16], patch[40];
    bool ok = true;

    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < MANY; i++) {
            (void)str_format(module, sizeof(module), "m%d", i);
            (void)str_format(patch, sizeof(patch), "{\"round\":%d}", round);
            tell(module, "r", patch);
        }
        ok &= commit();
        go_offline();
    }
    buf_clear(&world.said);
    restart();
    ok &= wait_until(are_all_called);
    for (int i = 0; i < MANY; i++) {
        ok &= world.calls && str_eq(world.calls->patch, "{\"round\":3}");
        answer(204, 1, "");
    }
    ok &= commit() && nothing_goes_on();
    report("500 clients report without the cloud, which hears the last of each", ok);
    printf("# %d reports, a restart, %d sent: %" PRIu64 " ms\n", 4 * MANY, MANY,
           clock_mono_ms() - began);
}

int main(void)
{
    open_world();
    test_questions();
    test_reports();
    test_refused();
    test_offline();
    test_desired();
    test_restarts();
    test_kills();
    test_full_disk();
    test_many();
    test_damage();
    close_world();
    return world.failures > 0;
}
