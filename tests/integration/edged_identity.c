/* The modules' identities at a hub that says what the test wants: the calls of Azure's identity
 * service, what is kept, and what happens where the hub says no or nothing. */
#include "core/azure/derive.h"
#include "core/base/json.h"
#include "tests/support/scripted.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/identity.h"

#define PORT   18944
#define DEVICE "dev:1"
#define PATH   "/devices/dev:1/modules"
#define KEY    "0123456789abcdef0123456789abcdef"

static const struct request *const requests = scripted.requests;
static char state_dir[64];
static struct config config;
static const struct device device = {.hub = "localhost", .id = DEVICE};
static struct keys *keys;
static struct credential *credential;

static struct {
    unsigned answers;
    char generation[64];
    struct err err;
} seen;

/* ------------------------------------------------------------------------------- asking */

static void open_parts(bool by_certificate)
{
    struct err err = {0};
    config = (struct config){.cloud_timeout_s = 3, .cloud_retries = 0};
    (void)str_format(config.trust_bundle, sizeof(config.trust_bundle), "%s/ca.pem", scripted.dir);
    if (by_certificate) {
        config.provisioning.method = CONFIG_MANUAL_X509;
        (void)str_format(config.provisioning.cert, CONFIG_PATH_MAX, "%s/device.pem", scripted.dir);
        (void)str_format(config.provisioning.cert_key, CONFIG_PATH_MAX, "%s/device.key",
                         scripted.dir);
    } else {
        config.provisioning.method = CONFIG_MANUAL_KEY;
        secret_set(&config.provisioning.key, KEY, strlen(KEY));
    }
    keys = keys_new(state_dir, &config.preloaded_keys, &err);
    credential = keys ? credential_new(&scripted.loop, &config, keys, &err) : NULL;
    if (!credential) {
        printf("not ok open: %s\n", err.msg);
        exit(1);
    }
}

static void close_parts(void)
{
    credential_free(credential);
    keys_free(keys);
    config_done(&config);
}

static struct identity *open_identity(void)
{
    struct err err = {0};
    const struct identity_options options = {.config = &config,
                                             .credential = credential,
                                             .keys = keys,
                                             .device = &device,
                                             .https_port = PORT,
                                             .state_dir = state_dir};
    struct identity *id = identity_new(&scripted.loop, &options, &err);
    expect(id, err.msg);
    memset(&seen, 0, sizeof(seen));
    return id;
}

static void on_identity(void *arg, const char *generation, const struct err *err)
{
    (void)arg;
    seen.answers++;
    STR_SET(seen.generation, generation ? generation : "none");
    if (err)
        seen.err = *err;
}

static void run_until(unsigned answers)
{
    while (seen.answers < answers)
        (void)uv_run(&scripted.loop, UV_RUN_ONCE);
}

static void ask(struct identity *id, enum identity_act act, const char *module)
{
    struct err err = {0};
    memset(&seen, 0, sizeof(seen));
    expect(identity_ask(id, act, module, on_identity, NULL, &err) == 0, err.msg);
    expect(seen.answers == 0, "answered from inside");
    run_until(1);
}

/* The key that the store gives a module of that generation. */
static void key_of(const char *module, const char *generation, const char *which,
                   struct secret *ret)
{
    struct keys_handle handle;
    (void)keys_module(&handle, module, generation, which);
    (void)keys_export(keys, &handle, ret, NULL);
}

/* ------------------------------------------------------------------------------- cases */

#define MODULE(generation) "{\"moduleId\":\"m\",\"generationId\":\"" generation "\"}"
#define CASE(name, ...)                                 \
    static const struct reply script[] = {__VA_ARGS__}; \
    scripted_begin(name, script, ARRAY_LEN(script));    \
    open_parts(false);                                  \
    struct identity *id = open_identity()
#define END            \
    identity_free(id); \
    close_parts();     \
    scripted_done()

static void test_get(void)
{
    auto_secret struct secret primary = {0}, secondary = {0};
    CASE("a module's keys are given to the hub", SAY(200, MODULE("7")), SAY(200, MODULE("7")));
    ask(id, IDENTITY_GET, "$edgeAgent");
    expect(str_eq(seen.generation, "7") && scripted.n == 2, seen.err.msg);
    expect(str_eq(requests[0].line, "GET " PATH "/$edgeAgent"), requests[0].line);
    expect(str_eq(requests[1].line, "PUT " PATH "/$edgeAgent"), requests[1].line);
    expect(!*requests[0].if_match && str_eq(requests[1].if_match, "*"), "If-Match");

    struct sas sas;
    auto_secret struct secret key = {0};
    secret_set(&key, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 44);
    expect(sas_parse(requests[0].authorization, strlen(requests[0].authorization), &sas, NULL) ==
                   0 &&
               sas_signed_by(&sas, key.data) && str_eq(sas.resource, "localhost/devices/" DEVICE) &&
               !*sas.policy,
           "a wrong token");

    key_of("$edgeAgent", "7", "primary", &primary);
    key_of("$edgeAgent", "7", "secondary", &secondary);
    auto_free char *want = xasprintf(
        "{\"moduleId\":\"$edgeAgent\",\"deviceId\":\"" DEVICE "\",\"authentication\":{\"type\":"
        "\"sas\",\"symmetricKey\":{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}}}",
        primary.data, secondary.data);
    expect(str_eq(requests[1].body, want), requests[1].body);
    expect(str_eq(identity_generation(id, "$edgeAgent"), "7"), "not kept");
    END;
}

static void test_same_key(void)
{
    static char body[256];
    static struct reply script[1];
    auto_secret struct secret primary = {0};
    open_parts(false);
    (void)keys_create(keys, KEYS_MASTER, NULL);
    key_of("$edgeAgent", "7", "primary", &primary);
    close_parts();
    (void)str_format(body, sizeof(body),
                     "{\"generationId\":\"7\",\"authentication\":{\"symmetricKey\":{\"primaryKey\":"
                     "\"%s\"}}}",
                     primary.data);
    script[0] = (struct reply)SAY(200, body);
    scripted_begin("a hub that has the keys is not given them again", script, 1);
    open_parts(false);
    struct identity *id = open_identity();
    ask(id, IDENTITY_GET, "$edgeAgent");
    expect(str_eq(seen.generation, "7") && scripted.n == 1, "given again");
    END;
}

static void test_create(void)
{
    CASE("a module that the hub does not know is made", SAY(404, "{}"), SAY(200, MODULE("8")),
         SAY(200, MODULE("8")));
    ask(id, IDENTITY_CREATE, "temp sensor");
    expect(str_eq(seen.generation, "8") && scripted.n == 3, seen.err.msg);
    expect(str_eq(requests[1].line, "PUT " PATH "/temp%20sensor") && !*requests[1].if_match,
           requests[1].line);
    expect(str_eq(requests[1].body, "{\"moduleId\":\"temp sensor\",\"deviceId\":\"" DEVICE
                                    "\",\"managedBy\":\"IotEdge\"}"),
           requests[1].body);
    expect(str_eq(requests[2].if_match, "*"), "no If-Match");
    END;
}

static bool is_listed(const struct identity *id, const char *module)
{
    const char *name = NULL;
    for (size_t i = 0; (name = identity_known(id, i)); i++)
        if (str_eq(name, module))
            return true;
    return false;
}

static void test_delete(void)
{
    CASE("a module is deleted, and forgotten", SAY(200, MODULE("8")), SAY(200, MODULE("8")),
         SAY(204, ""), SAY(404, "{}"));
    ask(id, IDENTITY_GET, "m");
    expect(identity_generation(id, "m"), "not known");
    expect(is_listed(id, "m"), "not among those known");
    ask(id, IDENTITY_DELETE, "m");
    expect(seen.err.kind == ERR_NONE && str_eq(seen.generation, ""), seen.err.msg);
    expect(str_eq(requests[2].line, "DELETE " PATH "/m") && str_eq(requests[2].if_match, "*"),
           requests[2].line);
    expect(!identity_generation(id, "m") && !is_listed(id, "m"), "not forgotten");
    ask(id, IDENTITY_DELETE, "m");
    expect(seen.err.kind == ERR_NONE, "one that is gone already is not fine");
    END;
}

static void test_order(void)
{
    CASE("questions wait for each other", SAY(200, MODULE("1")));
    struct err err = {0};
    for (int i = 0; i < 5; i++)
        expect(identity_ask(id, IDENTITY_GET, "m", on_identity, NULL, &err) == 0, err.msg);
    run_until(5);
    expect(seen.err.kind == ERR_NONE && scripted.n == 10, "not one after the other");
    END;
}

static void test_refused(void)
{
    CASE("a refusal is told although the module is known", SAY(200, MODULE("1")),
         SAY(200, MODULE("1")),
         {.status = 401,
          .body = "{\"Message\":\"ErrorCode:IotHubUnauthorizedAccess\"}",
          .date = "Sat, 01 Jan 2050 00:00:00 GMT"},
         SAY(404, "{}"), SAY(404, "{}"), SAY(404, "{}"),
         SAY(403, "{\"Message\":\"ErrorCode:IotHubQuotaExceeded;no more than 50\"}"));
    ask(id, IDENTITY_GET, "m");
    ask(id, IDENTITY_GET, "m");
    expect(seen.err.kind == ERR_REMOTE && strstr(seen.err.msg, "refused the key of device"),
           seen.err.msg);
    expect(strstr(seen.err.hint, "behind"), "the clock is not blamed");
    ask(id, IDENTITY_GET, "$edgeAgent");
    expect(seen.err.kind == ERR_NOT_FOUND && strstr(seen.err.msg, "knows no IoT Edge device"),
           seen.err.msg);
    ask(id, IDENTITY_GET, "other");
    expect(seen.err.kind == ERR_NOT_FOUND && strstr(seen.err.msg, "knows no module other"),
           seen.err.msg);
    ask(id, IDENTITY_CREATE, "another");
    expect(strstr(seen.err.msg, "no further module"), "one module too many is not told as that");
    END;
}

static void test_offline(void)
{
    CASE("a known module has its key without the hub", SAY(200, MODULE("1")), SAY(200, MODULE("1")),
         SAY(503, "{}"), SILENCE);
    ask(id, IDENTITY_GET, "m");
    ask(id, IDENTITY_GET, "m");
    expect(seen.err.kind == ERR_NONE && str_eq(seen.generation, "1"), "503: not from before");
    ask(id, IDENTITY_GET, "m");
    expect(seen.err.kind == ERR_NONE && str_eq(seen.generation, "1"), "silence: not from before");
    ask(id, IDENTITY_DELETE, "m");
    expect(seen.err.kind == ERR_TIMEOUT, "deleted without the hub");
    identity_free(id);

    id = open_identity();
    expect(str_eq(identity_generation(id, "m"), "1"), "not kept across a restart");
    config.prefer_cache = true;
    size_t before = scripted.n;
    ask(id, IDENTITY_GET, "m");
    expect(str_eq(seen.generation, "1") && scripted.n == before, "the hub was asked nevertheless");
    END;
}

static void test_again(void)
{
    CASE("a call that got no answer is made again", SAY(503, "{}"), SAY(200, MODULE("1")),
         SAY(200, MODULE("1")));
    config.cloud_retries = 1;
    ask(id, IDENTITY_GET, "fresh");
    expect(str_eq(seen.generation, "1") && scripted.n == 3, seen.err.msg);
    expect(requests[1].at_ms - requests[0].at_ms >= 3000, "at once");
    END;
}

static void test_garbage(void)
{
    CASE("an answer that is none", SAY(200, "<html>"), SAY(200, "{\"generationId\":\"\"}"));
    ask(id, IDENTITY_GET, "none");
    expect(seen.err.kind == ERR_PROTOCOL, "accepted");
    ask(id, IDENTITY_GET, "none");
    expect(seen.err.kind == ERR_PROTOCOL && strstr(seen.err.msg, "generationId"), "accepted");
    END;
}

static void test_certificate(void)
{
    static const struct reply script[] = {SAY(200, MODULE("1"))};
    scripted_begin("a certificate, and no token", script, 1);
    open_parts(true);
    struct identity *id = open_identity();
    ask(id, IDENTITY_GET, "by-certificate");
    expect(seen.err.kind == ERR_NONE && scripted.n == 2, seen.err.msg);
    for (size_t i = 0; i < scripted.n; i++)
        expect(str_eq(requests[i].client, "r:1") && !*requests[i].authorization, "not shown");
    END;
}

static void test_no_key(void)
{
    CASE("without its key the device asks nobody", SAY(200, MODULE("1")));
    (void)keys_delete(keys, KEYS_DEVICE, NULL);
    ask(id, IDENTITY_GET, "m2");
    expect(seen.err.kind == ERR_NOT_FOUND && scripted.n == 0, "asked");
    END;
}

static void test_end(void)
{
    CASE("the end in the middle of questions", SILENCE);
    struct err err = {0};
    for (int i = 0; i < 3; i++)
        (void)identity_ask(id, IDENTITY_GET, "m", on_identity, NULL, &err);
    while (!scripted.n)
        (void)uv_run(&scripted.loop, UV_RUN_ONCE);
    identity_free(id);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&scripted.loop, UV_RUN_NOWAIT);
    expect(seen.answers == 0, "told");
    close_parts();
    scripted_done();
}

int main(void)
{
    static void (*const tests[])(void) = {
        test_get,     test_same_key, test_create,  test_delete,      test_order,  test_refused,
        test_offline, test_again,    test_garbage, test_certificate, test_no_key, test_end,
    };
    json_init();
    scripted_start(PORT);
    (void)str_format(state_dir, sizeof(state_dir), "%s/state", scripted.dir);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tests[i]();
    return scripted_end();
}
