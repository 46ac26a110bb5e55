/* Deployments: what the agent accepts, what it refuses and with which code; the body of the create
 * call. */
#include "core/base/str.h"
#include "vm/guest/edged/create_options.h"
#include "vm/guest/edged/deployment.h"

#include <criterion/criterion.h>
#include <string.h>

#define HEAD                                                                                  \
    "{\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":\"docker\",\"settings\":{"              \
    "\"registryCredentials\":{\"r\":{\"address\":\"Reg.io\",\"username\":\"u\",\"password\":" \
    "\"p\"}}}},\"$version\":7,\"modules\":{"
#define TAIL "}}"
#define MODULE(settings) \
    "\"m1\":{\"type\":\"docker\",\"status\":\"running\",\"settings\":{" settings "}}"

static int parse(const char *text, struct deployment *d, enum deployment_code *code,
                 struct err *err)
{
    auto_json cJSON *json = json_parse(text, strlen(text), err);
    cr_assert_not_null(json, "%s", err->msg);
    return deployment_parse(json, d, code, err);
}

static void accept(const char *text, struct deployment *d)
{
    struct err err = {0};
    enum deployment_code code = DEPLOYMENT_OK;
    cr_assert_eq(parse(text, d, &code, &err), 0, "%s", err.msg);
}

static void refuse(const char *text, enum deployment_code want, const char *message)
{
    struct err err = {0};
    struct deployment d = {0};
    enum deployment_code code = DEPLOYMENT_OK;
    cr_assert_lt(parse(text, &d, &code, &err), 0, "accepted: %s", text);
    cr_assert_eq(code, want, "code %d for %s", (int)code, text);
    cr_assert(strstr(err.msg, message), "\"%s\" does not say \"%s\"", err.msg, message);
}

Test(deployment, takes_defaults_and_order)
{
    struct deployment d = {0};
    accept(HEAD "\"zeta\":{\"type\":\"docker\",\"status\":\"running\",\"startupOrder\":1,"
                "\"settings\":{\"image\":\" reg.io/a/b \"}},"
                "\"alpha\":{\"type\":\"docker\",\"status\":\"stopped\",\"restartPolicy\":\"never\","
                "\"imagePullPolicy\":\"never\","
                "\"env\":{\"B\":{\"value\":\"2\"},\"A\":{}},\"settings\":{\"image\":\"c:5\","
                "\"createOptions\":\"\"}}" TAIL,
           &d);
    cr_assert_eq(d.version, 7);
    cr_assert_eq(d.n_modules, 2);
    cr_assert_str_eq(d.modules[0].name, "zeta");
    cr_assert_str_eq(d.modules[0].image, "reg.io/a/b:latest");
    cr_assert_eq(d.modules[0].restart, RESTART_ON_UNHEALTHY);
    cr_assert(d.modules[0].pull && d.modules[0].running);
    const struct module_spec *alpha = deployment_find(&d, "alpha");
    cr_assert(!alpha->pull && !alpha->running);
    cr_assert_eq(alpha->startup_order, DEPLOYMENT_ORDER_LAST);
    cr_assert_str_eq(alpha->create_options, "{}");
    cr_assert_str_eq(alpha->env[0].name, "A");
    cr_assert_str_eq(alpha->env[0].value, "");
    cr_assert_not_null(deployment_registry(&d, "reg.io/a/b:latest"));
    cr_assert_null(deployment_registry(&d, "c:5"));
    deployment_done(&d);
}

Test(deployment, joins_chunks_in_any_order)
{
    struct deployment d = {0};
    accept(HEAD MODULE("\"createOptions01\":\"nfig\\\":{\\\"Privileged\\\"\",\"image\":\"a\","
                       "\"createOptions\":\"{\\\"HostCo\",\"createOptions02\":\":true}}\"") TAIL,
           &d);
    cr_assert_str_eq(d.modules[0].create_options, "{\"HostConfig\":{\"Privileged\":true}}");
    deployment_done(&d);
}

Test(deployment, refuses_gaps_and_broken_chunks)
{
    refuse(HEAD MODULE("\"image\":\"a\",\"createOptions\":\"{\",\"createOptions02\":\"}\"") TAIL,
           400, "createOptions01 is missing");
    refuse(HEAD MODULE("\"image\":\"a\",\"createOptions01\":\"{}\"") TAIL, 400,
           "createOptions is missing");
    refuse(HEAD MODULE("\"image\":\"a\",\"createOptions\":\"{\",\"createOptions1\":\"}\"") TAIL,
           400, "createOptions1");
    refuse(HEAD MODULE("\"image\":\"a\",\"createOptions\":\"{\\\"a\\\":\"") TAIL, 400,
           "modules.m1: settings.createOptions");
    refuse(HEAD MODULE("\"image\":\"a\",\"createOptions\":\"[1]\"") TAIL, 400, "not a JSON object");
}

Test(deployment, refuses_with_the_right_code)
{
    refuse("{\"$version\":1}", 417, "no deployment");
    refuse("{\"schemaVersion\":\"1.2\",\"$version\":1}", 412, "1.2");
    refuse("{\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":\"kata\"}}", 400, "runtime: type");
    refuse("{\"schemaVersion\":\"1.1\"}", 400, "runtime");
    refuse(HEAD "\"m1\":{\"type\":\"docker\",\"settings\":{\"image\":\"a\"}}" TAIL, 400,
           "modules.m1: \"status\" is missing");
    refuse(HEAD "\"m1\":{\"type\":\"docker\",\"status\":\"running\",\"restartPolicy\":null,"
                "\"settings\":{\"image\":\"a\"}}" TAIL,
           400, "restartPolicy");
    refuse(HEAD MODULE("\"img\":\"a\"") TAIL, 400, "image is missing");
    refuse(HEAD MODULE("\"image\":\"a:b:c\"") TAIL, 400, "not an image's name");
    refuse(HEAD MODULE("\"image\":\"a:1@sha256:00\"") TAIL, 400, "not an image's name");
    refuse(HEAD MODULE("\"image\":\"$upstream:443/a\"") TAIL, 400, "parent");
    refuse(HEAD "\"a b\":{}" TAIL, 400, "cannot be a module's name");
    refuse(HEAD "\"../x\":{}" TAIL, 400, "cannot be a module's name");
    refuse(HEAD "\"EdgeHub\":{}" TAIL, 400, "systemModules");
}

Test(deployment, hash_follows_what_needs_a_new_container)
{
    struct deployment a = {0}, b = {0}, c = {0}, d = {0};
    accept(HEAD "\"m1\":{\"type\":\"docker\",\"status\":\"running\",\"env\":{\"A\":{\"value\":"
                "\"1\"},\"B\":{\"value\":\"2\"}},\"settings\":{\"image\":\"a\"}}" TAIL,
           &a);
    accept(HEAD "\"m1\":{\"type\":\"docker\",\"status\":\"stopped\",\"env\":{\"B\":{\"value\":"
                "\"2\"},\"A\":{\"value\":\"1\"}},\"settings\":{\"image\":\"a:latest\"}}" TAIL,
           &b);
    accept(HEAD "\"m1\":{\"type\":\"docker\",\"status\":\"running\",\"env\":{\"A\":{\"value\":"
                "\"12\"},\"B\":{\"value\":\"\"}},\"settings\":{\"image\":\"a\"}}" TAIL,
           &c);
    accept(HEAD
           "\"m1\":{\"type\":\"docker\",\"status\":\"running\",\"version\":\"2\",\"env\":{\"A\":{"
           "\"value\":\"1\"},\"B\":{\"value\":\"2\"}},\"settings\":{\"image\":\"a\"}}" TAIL,
           &d);
    cr_assert_str_eq(a.modules[0].hash, b.modules[0].hash);
    cr_assert_str_neq(a.modules[0].hash, c.modules[0].hash);
    cr_assert_str_neq(a.modules[0].hash, d.modules[0].hash);
    deployment_done(&a);
    deployment_done(&b);
    deployment_done(&c);
    deployment_done(&d);
}

static const struct create_context context = {.device_id = "dev",
                                              .hub = "hub.example",
                                              .hostname = "edge",
                                              .network = "azure-iot-edge",
                                              .log_options = "",
                                              .elevated = true};

static bool has_env(const cJSON *body, const char *line)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item,
                       json_get(body, "Env")) if (str_eq(item->valuestring, line)) return true;
    return false;
}

Test(create_options, merges_with_the_right_precedence)
{
    struct module_spec spec = {
        .name = "m1",
        .image = (char[]){"a:1"},
        .create_options =
            (char[]){"{\"Env\":[\"A=theirs\"],\"Labels\":{\"x\":\"y\"},\"HostConfig\":{"
                     "\"RestartPolicy\":{\"Name\":\"always\"},\"Binds\":[\"/a:/a\"]}}"},
        .hash = "h"};
    struct env_var env[] = {{(char[]){"A"}, (char[]){"ours"}},
                            {(char[]){"IOTEDGE_DEVICEID"}, (char[]){"mine"}}};
    spec.env = env;
    spec.n_env = ARRAY_LEN(env);
    auto_json cJSON *body = create_options_body(&spec, &context);
    cr_assert(has_env(body, "A=theirs") && !has_env(body, "A=ours"));
    cr_assert(has_env(body, "IOTEDGE_DEVICEID=mine") && has_env(body, "IOTEDGE_MODULEID=m1"));
    cr_assert(has_env(body, "IOTEDGE_IOTHUBHOSTNAME=hub.example") &&
              has_env(body, "IOTEDGE_GATEWAYHOSTNAME=edge"));
    cr_assert_str_eq(json_str(json_get(body, "Labels"), CREATE_LABEL_OWNER, ""), CREATE_OWNER);
    cr_assert_str_eq(json_str(json_get(body, "Labels"), "x", ""), "y");
    const cJSON *host = json_get(body, "HostConfig");
    cr_assert_null(json_get(host, "RestartPolicy"));
    cr_assert_not_null(json_get(host, "Binds"));
    cr_assert_str_eq(json_str(json_get(json_get(host, "LogConfig"), "Config"), "max-size", ""),
                     "30m");
    cr_assert_not_null(json_get(json_get(json_get(body, "NetworkingConfig"), "EndpointsConfig"),
                                "azure-iot-edge"));
}

Test(create_options, gives_a_module_its_socket_and_what_it_needs_to_use_it)
{
    struct module_spec spec = {.name = "m1",
                               .image = (char[]){"a:1"},
                               .create_options = (char[]){"{\"HostConfig\":{\"Mounts\":[{}]}}"}};
    struct create_context with = context;
    with.workload_folder = "/state/mnt/m1";
    auto_json cJSON *body = create_options_body(&spec, &with);
    create_options_add_generation(body, "7");
    cr_assert(has_env(body, "IOTEDGE_WORKLOADURI=unix:///var/run/iotedge/workload.sock"));
    cr_assert(has_env(body, "IOTEDGE_MODULEGENERATIONID=7"));
    cr_assert(has_env(body, "IOTEDGE_AUTHSCHEME=sasToken"));
    const cJSON *mounts = json_get(json_get(body, "HostConfig"), "Mounts");
    cr_assert_eq(cJSON_GetArraySize(mounts), 2, "beside its own");
    const cJSON *mount = cJSON_GetArrayItem(mounts, 1);
    cr_assert_str_eq(json_str(mount, "Source", ""), "/state/mnt/m1");
    cr_assert_str_eq(json_str(mount, "Target", ""), "/var/run/iotedge");
    cr_assert(json_bool(mount, "ReadOnly", false));
}

Test(create_options, respects_a_chosen_network_and_log)
{
    struct module_spec spec = {
        .name = "m1",
        .image = (char[]){"a:1"},
        .create_options = (char[]){"{\"HostConfig\":{\"NetworkMode\":\"host\",\"Privileged\":true,"
                                   "\"CapAdd\":[\"ALL\"],\"LogConfig\":{\"Type\":\"none\"}}}"}};
    struct create_context strict = context;
    strict.elevated = false;
    auto_json cJSON *body = create_options_body(&spec, &strict);
    const cJSON *host = json_get(body, "HostConfig");
    cr_assert_null(json_get(body, "NetworkingConfig"));
    cr_assert_str_eq(json_str(json_get(host, "LogConfig"), "Type", ""), "none");
    cr_assert_not(json_bool(host, "Privileged", true));
    cr_assert_null(json_get(host, "CapAdd"));
    cr_assert_eq(cJSON_GetArraySize(json_get(host, "CapDrop")), 2);
}

Test(create_options, lets_a_container_find_the_edge_hub_unless_it_says_where)
{
    static const struct {
        const char *body, *hostname, *hosts;
    } cases[] = {
        {"{}", "gw", "[\"gw:10.1.0.1\",\"edgeHub:10.1.0.1\",\"edgeAgent:10.1.0.1\"]"},
        {"{\"HostConfig\":{\"NetworkMode\":\"host\"}}", "gw",
         "[\"gw:127.0.0.1\",\"edgeHub:127.0.0.1\",\"edgeAgent:127.0.0.1\"]"},
        {"{\"HostConfig\":{\"NetworkMode\":\"other\"}}", "10.0.0.7",
         "[\"edgeHub:10.1.0.1\",\"edgeAgent:10.1.0.1\"]"},
        {"{\"HostConfig\":{\"ExtraHosts\":[\"GW:9.9.9.9\",\"edgeHubber:1.1.1.1\"]}}", "gw",
         "[\"GW:9.9.9.9\",\"edgeHubber:1.1.1.1\",\"edgeHub:10.1.0.1\",\"edgeAgent:10.1.0.1\"]"},
        {"{\"HostConfig\":{\"ExtraHosts\":null}}", "",
         "[\"edgeHub:10.1.0.1\",\"edgeAgent:10.1.0.1\"]"},
        {"{\"HostConfig\":{\"NetworkMode\":\"none\"}}", "gw", ""},
        {"{\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", "gw", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json cJSON *body = json_parse(cases[i].body, strlen(cases[i].body), NULL);
        auto_buf struct buf text = {0};
        create_options_add_hosts(body, cases[i].hostname, "10.1.0.1");
        const cJSON *hosts = json_get(json_get(body, "HostConfig"), "ExtraHosts");
        if (hosts)
            json_print(&text, hosts);
        cr_expect_str_eq(buf_str(&text), cases[i].hosts, "%s: %s", cases[i].body, buf_str(&text));
    }
}

Test(create_options, limits_every_log_that_is_written_to_files)
{
    static const struct {
        const char *create_options, *log_options, *type, *size;
    } cases[] = {
        {"{}", "", "json-file", "30m"},
        {"{}", "{\"Type\":\"local\"}", "local", "30m"},
        {"{}", "{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"1m\"}}", "json-file", "1m"},
        {"{}", "not JSON", "json-file", "30m"},
        {"{\"HostConfig\":{\"LogConfig\":{\"Config\":{\"max-file\":\"3\"}}}}", "", "json-file",
         "30m"},
        {"{\"HostConfig\":{\"LogConfig\":{\"Type\":\"journald\"}}}", "", "journald", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char options[200];
        struct module_spec spec = {
            .name = "m1", .image = (char[]){"a:1"}, .create_options = options};
        struct create_context c = context;
        STR_SET(options, cases[i].create_options);
        c.log_options = cases[i].log_options;
        auto_json cJSON *body = create_options_body(&spec, &c);
        const cJSON *log = json_get(json_get(body, "HostConfig"), "LogConfig");
        cr_expect_str_eq(json_str(log, "Type", ""), cases[i].type, "case %zu", i);
        cr_expect_str_eq(json_str(json_get(log, "Config"), "max-size", ""), cases[i].size,
                         "case %zu", i);
    }
}

Test(deployment, knows_whose_credentials_an_image_needs)
{
    struct registry registries[] = {{.address = (char[]){"Docker.io"}},
                                    {.address = (char[]){"localhost:5000"}},
                                    {.address = (char[]){"localhost"}}};
    const struct deployment d = {.registries = registries, .n_registries = 3};
    cr_assert_eq(deployment_registry(&d, "busybox:1"), &registries[0]);
    cr_assert_eq(deployment_registry(&d, "user/app:1"), &registries[0]);
    cr_assert_eq(deployment_registry(&d, "docker.io/user/app:1"), &registries[0]);
    cr_assert_eq(deployment_registry(&d, "localhost:5000/app:1"), &registries[1]);
    cr_assert_eq(deployment_registry(&d, "localhost/app:1"), &registries[2]);
    cr_assert_null(deployment_registry(&d, "other.io/app:1"));
    cr_assert(deployment_same_registry("busybox:1", "Docker.io/user/app:1"));
    cr_assert(deployment_same_registry("localhost:5000/a:1", "localhost:5000/b/c:2"));
    cr_assert_not(deployment_same_registry("localhost:5000/a:1", "localhost/a:1"));
    cr_assert_not(deployment_same_registry("busybox:1", "other.io/busybox:1"));
}

Test(create_options, chunks_for_the_twin_join_again)
{
    char long_text[1700];
    (void)str_format(long_text, sizeof(long_text), "{\"a\":\"%01200d\"}", 0);
    auto_json cJSON *settings = cJSON_CreateObject();
    create_options_add_chunks(settings, long_text);
    cr_assert_eq(cJSON_GetArraySize(settings), 3);
    cr_assert_eq(strlen(json_str(settings, "createOptions", "")), DEPLOYMENT_CHUNK_MAX);
    struct err err = {0};
    char *joined = NULL;
    cr_assert_eq(create_options_join(settings, &joined, &err), 0, "%s", err.msg);
    cr_assert_str_eq(joined, long_text);
    free(joined);
}
