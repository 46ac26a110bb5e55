/* Devices and modules that prove who they are with a certificate, to MQTT and to REST; and several
 * hubs in one sandbox. What the registry's REST would set is put into the database before the
 * start.
 */
#include "tests/hub_client.h"

#include "core/base/mem.h"
#include "core/io/tls_cert.h"
#include "tests/support/certs.h"
#include "vm/guest/hub/auth.h"

#define SECOND "second.berth.internal"

static struct test_hub hub;
static char dir[] = "/tmp/berth-certs-XXXXXX";
static char sas_key[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/* A certificate's files, and what is in it. */
struct files {
    char cert[80], key[80];
    struct tls_cert_info info;
};
static struct files ca, sub_ca, stranger_ca, self, other, by_ca, by_sub, by_stranger, misnamed,
    module;

static void name_files(struct files *f, const char *name)
{
    snprintf(f->cert, sizeof(f->cert), "%s/%s.pem", dir, name);
    snprintf(f->key, sizeof(f->key), "%s/%s.key", dir, name);
}

static void read_files(struct files *f)
{
    auto_buf struct buf pem = {0};

    if (file_read(f->cert, 65536, &pem, NULL) < 0 ||
        tls_cert_read(pem.data, pem.len, &f->info, NULL) < 0)
        abort();
}

static void make_device(struct files *f, const char *file, const struct files *by, const char *name)
{
    struct err err = {0};

    name_files(f, file);
    if ((by ? tls_cert_make_device(by->cert, by->key, f->cert, f->key, name, 30, &err)
            : tls_cert_make_self_signed(f->cert, f->key, name, 30, &err)) < 0) {
        printf("not ok certificates: %s\n", err.msg);
        exit(1);
    }
    read_files(f);
}

static void make_certificates(void)
{
    if (!mkdtemp(dir))
        abort();
    name_files(&ca, "ca");
    name_files(&sub_ca, "sub");
    name_files(&stranger_ca, "stranger");
    if (tls_cert_make_ca(ca.cert, ca.key, "Plant CA", 30, NULL) < 0 ||
        tls_cert_make_ca(stranger_ca.cert, stranger_ca.key, "Plant CA", 30, NULL) < 0 ||
        tls_cert_make_intermediate(ca.cert, ca.key, sub_ca.cert, sub_ca.key, "Line 7", 30, NULL) <
            0)
        abort();
    read_files(&ca);
    make_device(&self, "self", NULL, "self");
    make_device(&other, "other", NULL, "self");
    make_device(&by_ca, "by_ca", &ca, "byca");
    make_device(&by_sub, "by_sub", &sub_ca, "byca");
    make_device(&by_stranger, "by_stranger", &stranger_ca, "byca");
    make_device(&misnamed, "misnamed", &ca, "byca2");
    make_device(&module, "module", &ca, "byca/mod");
}

/* One that was good until yesterday. */
static void make_expired(struct files *f)
{
    auto_cert struct cert cert = cert_make(
        &(struct cert_spec){.cn = "old", .from_s = -10 * CERT_DAY_S, .until_s = -CERT_DAY_S});
    auto_buf struct buf pem = {0};
    FILE *key;

    name_files(f, "expired");
    cert_put_pem(&pem, &cert);
    key = fopen(f->key, "w");
    if (!key || file_write(f->cert, pem.data, pem.len, 0600, NULL) < 0 ||
        PEM_write_PrivateKey(key, cert.key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    fclose(key);
    read_files(f);
}

/* ---- the registry ---- */

static void put(struct store *s, const char *device, const char *mod, enum identity_auth auth,
                const char *primary, const char *secondary, const char *on_hub)
{
    struct identity id = {.version = 1, .created_ms = 1, .auth = auth};

    STR_SET(id.device, device);
    STR_SET(id.module, mod);
    STR_SET(id.generation, "637000000000000000");
    STR_SET(id.primary_key, sas_key);
    STR_SET(id.secondary_key, sas_key);
    STR_SET(id.primary_thumbprint, primary);
    STR_SET(id.secondary_thumbprint, secondary);
    STR_SET(id.hub, on_hub);
    if (store_identity_put(s, &id, NULL) < 0)
        abort();
}

static void fill_registry(const struct files *expired)
{
    char path[100], lower[41];
    struct store *s = NULL;
    struct tls_cert_info info;
    auto_buf struct buf pem = {0};

    snprintf(path, sizeof(path), "%s/hub.db", hub.dir);
    snprintf(lower, sizeof(lower), "%s", self.info.sha1);
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    if (store_open(path, &s, NULL) < 0 || file_read(ca.cert, 65536, &pem, NULL) < 0 ||
        auth_authority_add(s, pem.data, pem.len, &info, NULL) < 0)
        abort();
    put(s, "self", "", IDENTITY_SELF_SIGNED, self.info.sha256, "", "");
    put(s, "self1", "", IDENTITY_SELF_SIGNED, "00", lower, "");
    put(s, "old", "", IDENTITY_SELF_SIGNED, expired->info.sha256, "", "");
    put(s, "byca", "", IDENTITY_CA, "", "", "");
    put(s, "byca", "mod", IDENTITY_CA, "", "", "");
    put(s, "byca", "own", IDENTITY_SELF_SIGNED, self.info.sha1, "", "");
    put(s, "byca", "sas", IDENTITY_SAS, "", "", "");
    put(s, "none", "", IDENTITY_NONE, self.info.sha1, self.info.sha256, "");
    put(s, "sas", "", IDENTITY_SAS, self.info.sha1, "", "");
    put(s, "far", "", IDENTITY_SAS, "", "", SECOND);
    store_close(s);
}

/* ---- logging in ---- */

static void expect(const char *name, const char *device, const char *mod, const struct files *f,
                   int code)
{
    expect_login(&hub, name,
                 &(struct mqtt_login){.device = device,
                                      .module = mod,
                                      .key = sas_key,
                                      .cert = f ? f->cert : NULL,
                                      .cert_key = f ? f->key : NULL},
                 code);
}

static void test_self_signed(const struct files *expired)
{
    expect("a self-signed certificate is known by its SHA-256 thumbprint", "self", "", &self, 0);
    expect("or by SHA-1, as the second, in small letters", "self1", "", &self, 0);
    expect("another one is refused", "self", "", &other, 5);
    expect("none at all is refused, token or not", "self", "", NULL, 5);
    expect("one that has expired is refused", "old", "", expired, 5);
    expect("a device of type none is refused with a certificate", "none", "", &self, 5);
    expect("and with a token", "none", "", NULL, 5);
    expect("a device that uses keys is refused with a certificate alone", "sas", "", &self, 5);
    expect("a module has a thumbprint of its own", "byca", "own", &self, 0);
}

static void test_authority(void)
{
    expect("a certificate of a registered authority is accepted", "byca", "", &by_ca, 0);
    expect("also through an authority in between", "byca", "", &by_sub, 0);
    expect("one of a stranger with the same name is refused", "byca", "", &by_stranger, 5);
    expect("one for another device is refused", "byca", "", &misnamed, 5);
    expect("a self-signed one is refused", "byca", "", &self, 5);
    expect("a module's is for device and module", "byca", "mod", &module, 0);
    expect("its device's is not enough", "byca", "mod", &by_ca, 5);
    expect("a module may use keys where its device does not", "byca", "sas", NULL, 0);
}

static void test_event(void)
{
    struct link l;
    auto_json cJSON *out = NULL;
    auto_buf struct buf text = {0};
    struct mqtt_login m = {.device = "byca", .cert = by_ca.cert, .cert_key = by_ca.key};

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_publish(&l, "devices/byca/messages/events/", 0, 0, "x", 1);
    (void)mqtt_ping(&l);
    link_close(&l);
    (void)rest(&hub, NULL, "GET", "/sandbox/events", NULL, NULL, &out);
    if (out)
        json_print(&text, out);
    report("its messages say that a certificate proved it",
           strstr(buf_str(&text),
                  "{\\\"scope\\\":\\\"device\\\",\\\"type\\\":\\\"x509Certificate\\\","
                  "\\\"issuer\\\":\\\"external\\\"") &&
               strstr(buf_str(&text), "\"iothub-connection-auth-generation-id\":\"6370"),
           buf_str(&text));
}

/* ---- REST ---- */

static int ask(const struct files *f, const char *method, const char *target, const char *body)
{
    struct link l;

    if (!link_open_as(&l, &hub, hub.https_port, f->cert, f->key))
        return 0;
    rest_ask(&l, &hub, "", method, target, NULL, body);
    return rest_answer(&l, NULL);
}

static void test_rest(void)
{
    report("a device lists its modules by its certificate alone",
           ask(&by_ca, "GET", "/devices/byca/modules", NULL) == 200, NULL);
    report("and makes one", ask(&self, "PUT", "/devices/self/modules/made", "{}") == 200, NULL);
    report("but not for another", ask(&self, "PUT", "/devices/byca/modules/made", "{}") == 401,
           NULL);
    report("nor does it read the registry", ask(&by_ca, "GET", "/devices/byca", NULL) == 401, NULL);
    report("a certificate that is not its own is 401",
           ask(&other, "GET", "/devices/self/modules", NULL) == 401, NULL);
    report("a device that uses keys is 401", ask(&self, "GET", "/devices/sas/modules", NULL) == 401,
           NULL);
}

static void test_authorities(void)
{
    auto_json cJSON *out = NULL;
    auto_json cJSON *body = cJSON_CreateObject();
    auto_buf struct buf pem = {0};
    auto_buf struct buf text = {0};
    auto_buf struct buf shown = {0};
    char target[100];

    snprintf(target, sizeof(target), "/sandbox/authorities/%s", ca.info.sha256);
    (void)file_read(ca.key, 65536, &pem, NULL); /* as people paste it: key and certificate */
    (void)file_read(ca.cert, 65536, &pem, NULL);
    json_add_str(body, "certificate", pem.data);
    json_print(&text, body);
    report("an authority is removed", rest(&hub, NULL, "DELETE", target, NULL, NULL, NULL) == 204,
           NULL);
    expect("whose devices are refused then", "byca", "", &by_ca, 5);
    report("removing it again is 404", rest(&hub, NULL, "DELETE", target, NULL, NULL, NULL) == 404,
           NULL);
    report("one is registered",
           rest(&hub, NULL, "POST", "/sandbox/authorities", NULL, text.data, NULL) == 200, NULL);
    expect("whose devices are accepted then", "byca", "", &by_ca, 0);
    (void)rest(&hub, NULL, "GET", "/sandbox/authorities", NULL, NULL, &out);
    if (out)
        json_print(&shown, out);
    report("and listed",
           strstr(buf_str(&shown), "\"subject\":\"") && strstr(buf_str(&shown), ca.info.sha256),
           buf_str(&shown));
    buf_clear(&pem);
    buf_clear(&text);
    (void)file_read(self.cert, 65536, &pem, NULL);
    cJSON_ReplaceItemInObjectCaseSensitive(body, "certificate", cJSON_CreateString(pem.data));
    json_print(&text, body);
    report("a device's certificate is none",
           rest(&hub, NULL, "POST", "/sandbox/authorities", NULL, text.data, NULL) == 400, NULL);
}

/* ---- several hubs ---- */

static void test_hubs(void)
{
    struct mqtt_login m = {.device = "far",
                           .key = sas_key,
                           .user = SECOND "/far/?api-version=2021-04-12",
                           .sr = SECOND "/devices/far"};
    auto_buf struct buf text = {0};
    char path[100];

    expect_login(&hub, "a device connects to the hub that it is on", &m, 0);
    m.sr = HUB_HOST "/devices/far";
    expect_login(&hub, "a token for another hub is refused", &m, 5);
    m.sr = "localhost/devices/far";
    m.user = "localhost:8883/far/?api-version=2021-04-12";
    expect_login(&hub, "an address stands for whichever it is on", &m, 0);
    m.user = HUB_HOST "/far/?api-version=2021-04-12";
    expect_login(&hub, "another hub's name in the user name is refused", &m, 5);
    m.user = "third.berth.internal/far/?api-version=2021-04-12";
    expect_login(&hub, "so is one that is not here", &m, 5);
    snprintf(path, sizeof(path), "%s/sandbox.json", hub.dir);
    (void)file_read(path, 65536, &text, NULL);
    report("the sandbox's record names its hubs",
           strstr(buf_str(&text), "\"hubs\":[\"" HUB_HOST "\",\"" SECOND "\"]"), NULL);
}

static void test_options(void)
{
    struct test_hub twice = hub;

    twice.args[0] = "--hub-name=" HUB_HOST;
    report("a hub's name that is there twice is refused",
           !hub_start(&twice) && strstr(twice.line, "is there twice"), twice.line);
    (void)hub_end(&twice, 0);
    twice.args[0] = "--hub-name=Bad Name";
    report("so is one that is no host name",
           !hub_start(&twice) && strstr(twice.line, "must be a host name"), twice.line);
    (void)hub_end(&twice, 0);
}

static void change(const char *target, const char *body)
{
    if (rest(&hub, NULL, "PUT", target, "If-Match: *\r\n", body, NULL) != 200)
        report(target, false, "it was not changed");
}

/* The connection of M ends when TARGET becomes BODY. */
static void expect_end(const char *name, const struct mqtt_login *m, const char *target,
                       const char *body)
{
    struct link l = {0};
    auto_buf struct buf packet = {0};
    bool ok = mqtt_login(&l, &hub, m, NULL) == 0;

    change(target, body);
    report(name, ok && recv_packet(&l, &packet) == 0 && l.ended, NULL);
    link_close(&l);
}

/* An edge hub connects for a child whose certificate's key it has not, with a token of its own. */
static void test_behalf(void)
{
    static const char hubs_own[] = HUB_HOST "/devices/gate/modules/$edgeHub";
    char gate[128], stranger[128], none[128];
    struct mqtt_login m = {.device = "behind", .sr = hubs_own, .key = gate};

#define USER(id, chain) HUB_HOST "/" id "/?api-version=2021-04-12&auth-chain=" chain
    device_create(&hub, "gate", true, gate);
    device_create(&hub, "other", true, stranger);
    leaf_create(&hub, "gate", "behind",
                "{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":"
                "\"0123456789ABCDEF0123456789ABCDEF01234567\"}}",
                none);
    m.user = USER("behind", "behind%3Bgate");
    expect_login(&hub, "an edge hub connects for its device's child", &m, 0);
    m.key = stranger;
    expect_login(&hub, "not with another's key", &m, 5);
    m.sr = HUB_HOST "/devices/other/modules/$edgeHub";
    expect_login(&hub, "nor another edge hub", &m, 5);
    m.user = USER("behind", "behind%3Bother");
    expect_login(&hub, "also where it says whose it is", &m, 5);
    m = (struct mqtt_login){.device = "behind",
                            .key = gate,
                            .sr = HUB_HOST "/devices/gate/modules/$edgeAgent",
                            .user = USER("behind", "behind%3Bgate")};
    expect_login(&hub, "another module's token does not do", &m, 5);
    m.sr = hubs_own;
    m.user = USER("behind", "behind%3Bbetween%3Bgate");
    expect_login(&hub, "nor a chain with somebody between", &m, 5);
    m.user = USER("behind", "gate");
    expect_login(&hub, "nor one that does not begin with who connects", &m, 5);
    m.device = "gate";
    m.user = USER("gate", "gate%3Bgate");
    expect_login(&hub, "nor one for the edge device itself", &m, 5);
    m.module = "$edgeAgent";
    m.user = USER("gate/$edgeAgent", "gate/$edgeAgent%3Bgate");
    expect_login(&hub, "it connects for its device's modules", &m, 0);
    leaf_create(&hub, "gate", "barred", "{\"type\":\"none\"}", none);
    m.device = "barred";
    m.module = NULL;
    m.user = USER("barred", "barred%3Bgate");
    expect_login(&hub, "not for who cannot connect at all", &m, 5);
    m.device = "behind";
    m.user = USER("behind", "behind%3Bgate");
    expect_end("it ends with the edge device's right", &m, "/devices/gate",
               "{\"capabilities\":{\"iotEdge\":true},\"status\":\"disabled\"}");
    expect_login(&hub, "which is disabled", &m, 5);
    change("/devices/gate", "{\"capabilities\":{\"iotEdge\":true},\"status\":\"enabled\"}");
    expect_end("and when the child is taken away from it", &m, "/devices/behind",
               "{\"deviceScope\":\"\",\"authentication\":{\"type\":\"selfSigned\","
               "\"x509Thumbprint\":{\"primaryThumbprint\":"
               "\"0123456789ABCDEF0123456789ABCDEF01234567\"}}}");
#undef USER
}

/* The longest chain that there can be: a module of a child, all names as long as may be. */
static void test_longest_chain(void)
{
    char edge[129], child[129], mod[129], gate[128], none[128], sr[300], user[1100], target[300];
    auto_json cJSON *out = NULL;
    struct mqtt_login m = {.device = child, .module = mod, .key = gate, .sr = sr, .user = user};

    snprintf(edge, sizeof(edge), "%0128d", 1);
    snprintf(child, sizeof(child), "%0128d", 2);
    snprintf(mod, sizeof(mod), "%0128d", 3);
    device_create(&hub, edge, true, gate);
    leaf_create(&hub, edge, child, NULL, none);
    snprintf(target, sizeof(target), "/devices/%s/modules/%s", child, mod);
    (void)rest(&hub, NULL, "PUT", target, NULL, "{}", &out);
    snprintf(sr, sizeof(sr), HUB_HOST "/devices/%s/modules/$edgeHub", edge);
    snprintf(user, sizeof(user),
             HUB_HOST "/%s/%s/?api-version=2021-04-12&auth-chain=%s%%2F%s%%3B%s%%3B%s", child, mod,
             child, mod, child, edge);
    expect_login(&hub, "a child's module has the longest chain", &m, 0);
}

int main(void)
{
    struct files expired;

    hub_prepare(&hub);
    make_certificates();
    make_expired(&expired);
    fill_registry(&expired);
    hub.args[0] = "--hub-name";
    hub.args[1] = SECOND;
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    test_self_signed(&expired);
    test_authority();
    test_event();
    test_rest();
    test_authorities();
    test_hubs();
    test_options();
    test_behalf();
    test_longest_chain();
    (void)file_remove_tree(dir, NULL);
    return hub_finish(&hub);
}
