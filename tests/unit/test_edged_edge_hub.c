/* What the runtime tells its edge hub, as the hub reads it; the hub's lines in the runtime's log.
 */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/child.h"
#include "vm/guest/edged/agent_log.h"
#include "vm/guest/edged/edge_hub_settings.h"
#include "vm/guest/edged/edge_hub_state.h"
#include "vm/guest/hub/edge_settings.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct config config = {
    .hostname = "gw", .proxy = "http://p:3128", .trust_bundle = "/etc/ca.pem"};
static const struct device device = {.hub = "hub.example", .id = "d"};

/* Made with N variables at ENV; freed by the caller. */
static struct edge_settings *settings(struct env_var *env, size_t n)
{
    struct module_spec spec = {.env = env, .n_env = n};
    const struct edge_hub_facts facts = {
        .config = &config, .device = &device, .spec = &spec, .https_port = 443, .dir = "/s/hub"};
    auto_buf struct buf text = {0};
    struct edge_settings *s = NULL;
    struct err err = {0};
    edge_hub_settings(&facts, &text);
    cr_assert_eq(edge_settings_parse(buf_str(&text), text.len, "/s/hub", &s, &err), 0, "%s",
                 err.msg);
    return s;
}

Test(edge_hub_settings, come_from_the_configuration_by_default)
{
    struct edge_settings *s = settings(NULL, 0);
    cr_assert_str_eq(s->hub, "hub.example");
    cr_assert_str_eq(s->device, "d");
    cr_assert_str_eq(s->hostname, "gw");
    cr_assert_str_eq(s->proxy, "http://p:3128");
    cr_assert_str_eq(s->ca_file, "/etc/ca.pem");
    cr_assert_str_eq(s->workload, "/s/hub/" EDGE_HUB_RUNTIME_SOCKET);
    cr_assert_str_eq(s->socket, "/s/hub/" EDGE_HUB_STATE_SOCKET);
    cr_assert_eq(s->mqtt_port, 8883);
    cr_assert_eq(s->https_port, 443);
    cr_assert_eq(s->mqtt_listen_port, 8883);
    cr_assert_eq(s->https_listen_port, 443);
    cr_assert_eq(s->max_clients, 100);
    cr_assert_not(s->websocket);
    edge_settings_free(s);
    config.websocket = true;
    s = settings(NULL, 0);
    cr_assert(s->websocket);
    edge_settings_free(s);
}

Test(edge_hub_settings, follow_the_deployments_variables)
{
    static const struct {
        const char *word;
        bool websocket;
    } words[] = {
        {"Mqtt", false}, {"mqttws", true}, {"Amqp", false}, {"AmqpWs", true}, {"?", false}};
    struct env_var env[] = {{(char[]){"upstreamprotocol"}, NULL},
                            {(char[]){"MaxConnectedClients"}, (char[]){"250"}},
                            {(char[]){"https_proxy"}, (char[]){""}},
                            {(char[]){"MqttSettings__Enabled"}, (char[]){"False"}}};
    config.websocket = true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        auto_free char *word = xstrdup(words[i].word);
        env[0].value = word;
        struct edge_settings *s = settings(env, ARRAY_LEN(env));
        cr_expect_eq(s->websocket, words[i].websocket, "%s", word);
        cr_expect_eq(s->max_clients, 250);
        cr_expect_str_eq(s->proxy, "");
        cr_expect_eq(s->mqtt_listen_port, 0);
        cr_expect_eq(s->https_listen_port, 443);
        edge_settings_free(s);
    }
}

Test(edge_hub_settings, number_of_clients_that_is_none_is_the_usual_one)
{
    static const char *const bad[] = {"0", "-1", "many", "99999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_free char *value = xstrdup(bad[i]);
        struct env_var env = {(char[]){"MaxConnectedClients"}, value};
        struct edge_settings *s = settings(&env, 1);
        cr_expect_eq(s->max_clients, 100, "%s", bad[i]);
        edge_settings_free(s);
    }
}

Test(edge_hub_state, comes_back_from_its_file)
{
    char path[] = "/tmp/edge-hub-state-XXXXXX";
    struct err err = {0};
    struct edge_hub_state back, state = {.device = device,
                                         .container = {.state = CONTAINER_RUNNING,
                                                       .pid = 77,
                                                       .started_ms = 5,
                                                       .finished_ms = 4,
                                                       .ended = true,
                                                       .exit_code = 137},
                                         .pid_ticks = 99,
                                         .restart = {.count = 3, .last_ms = 5}};
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    cr_assert_eq(edge_hub_state_write(path, &state, &err), 0, "%s", err.msg);
    cr_assert_eq(edge_hub_state_read(path, &back, &err), 0, "%s", err.msg);
    cr_assert_neq(back.boot[0], '\0');
    STR_SET(state.boot, back.boot);
    cr_assert_eq(memcmp(&back, &state, sizeof(state)), 0);
    (void)unlink(path);
    cr_assert_eq(edge_hub_state_read(path, &back, &err), 0);
    cr_assert_eq(back.container.state, CONTAINER_CREATED, "none: never started");
}

/* The process is there, but it is not the one that was meant. */
Test(edge_hub_state, kills_only_the_one_that_was_meant)
{
    char path[] = "/tmp/edge-hub-state-XXXXXX";
    struct err err = {0};
    struct edge_hub_state left = {.device = device};
    int fd = mkstemp(path), status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    (void)close(fd);
    left.container.pid = child;
    left.pid_ticks = child_start_time(child);
    cr_assert_eq(edge_hub_state_write(path, &left, &err), 0, "%s", err.msg);
    cr_assert_eq(edge_hub_state_read(path, &left, &err), 0, "%s", err.msg);
    (void)unlink(path);

    struct edge_hub_state later = left, elsewhen = left;
    later.pid_ticks++;
    STR_SET(elsewhen.boot, "of another boot");
    edge_hub_state_kill(&later);
    edge_hub_state_kill(&elsewhen);
    cr_expect_eq(waitpid(child, &status, WNOHANG), 0, "it still runs");
    edge_hub_state_kill(&left);
    cr_expect_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void recent(enum agent_log which, uint64_t tail, struct buf *out)
{
    const struct log_query q = {.tail = tail};
    buf_clear(out);
    agent_log_recent(which, &q, out);
}

static bool has(const struct buf *frames, const char *text)
{
    return memmem(buf_str(frames), frames->len, text, strlen(text)) != NULL;
}

Test(agent_log, keeps_the_hubs_lines_and_its_own_apart)
{
    auto_buf struct buf out = {0};
    cr_assert_eq(log_open("/dev/null", LOG_LEVEL_INFO, NULL), 0);
    log_info("agent", "edgeHub: not the hub's");
    agent_log_hub("2026-01-01T00:00:00.000Z warn  clients: no room");
    agent_log_hub("2026-01-01T00:00:00.000Z debug clients: detail");
    agent_log_hub("berth-hub: free(): invalid pointer");
    recent(AGENT_LOG_OWN, LOG_QUERY_ALL, &out);
    cr_assert(has(&out, "agent: edgeHub: not the hub's") && !has(&out, "no room"));
    recent(AGENT_LOG_HUB, LOG_QUERY_ALL, &out);
    cr_assert(has(&out, " warn  edgeHub: clients: no room\n"));
    cr_assert(has(&out, " warn  edgeHub: berth-hub: free(): invalid pointer\n"));
    cr_assert(!has(&out, "not the hub's") && !has(&out, "detail"));
    recent(AGENT_LOG_HUB, 1, &out);
    cr_assert(has(&out, "invalid pointer") && !has(&out, "no room"), "the tail is of its lines");
    log_close();
}
