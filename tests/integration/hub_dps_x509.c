/* Devices that register with a certificate: the one that is enrolled, or one of an authority's. */
#include "tests/dps_client.h"

#include "core/io/tls_cert.h"
#include "tests/support/certs.h"

static struct test_hub hub;
static char dir[] = "/tmp/berth-certs-XXXXXX";

struct files {
    char cert[80], key[80];
};
static struct files ca, sub_ca, stranger_ca, self, spare, other, by_ca, by_sub, by_stranger,
    expired;

static void name_files(struct files *f, const char *name)
{
    snprintf(f->cert, sizeof(f->cert), "%s/%s.pem", dir, name);
    snprintf(f->key, sizeof(f->key), "%s/%s.key", dir, name);
}

static void make(struct files *f, const char *file, const struct files *by, const char *name)
{
    name_files(f, file);
    if ((by ? tls_cert_make_device(by->cert, by->key, f->cert, f->key, name, 30, NULL)
            : tls_cert_make_self_signed(f->cert, f->key, name, 30, NULL)) < 0)
        abort();
}

static void make_certificates(void)
{
    auto_cert struct cert old = cert_make(
        &(struct cert_spec){.cn = "old", .from_s = -10 * CERT_DAY_S, .until_s = -CERT_DAY_S});
    auto_buf struct buf pem = {0};
    FILE *key;

    if (!mkdtemp(dir))
        abort();
    name_files(&ca, "ca");
    name_files(&sub_ca, "sub");
    name_files(&stranger_ca, "stranger");
    name_files(&expired, "expired");
    if (tls_cert_make_ca(ca.cert, ca.key, "Plant CA", 30, NULL) < 0 ||
        tls_cert_make_ca(stranger_ca.cert, stranger_ca.key, "Plant CA", 30, NULL) < 0 ||
        tls_cert_make_intermediate(ca.cert, ca.key, sub_ca.cert, sub_ca.key, "Line 7", 30, NULL) <
            0)
        abort();
    make(&self, "self", NULL, "self");
    make(&spare, "spare", NULL, "self");
    make(&other, "other", NULL, "self");
    make(&by_ca, "by_ca", &ca, "Unit-1");
    make(&by_sub, "by_sub", &sub_ca, "unit-2");
    make(&by_stranger, "by_stranger", &stranger_ca, "unit-3");
    cert_put_pem(&pem, &old);
    key = fopen(expired.key, "w");
    if (!key || file_write(expired.cert, pem.data, pem.len, 0600, NULL) < 0 ||
        PEM_write_PrivateKey(key, old.key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    fclose(key);
}

/* Enrols with the certificates of FIRST and SECOND (may be NULL); WHAT is their place. */
static bool enrol(const char *target, const char *what, const struct files *first,
                  const struct files *second)
{
    auto_json cJSON *body = cJSON_CreateObject();
    cJSON *attestation = json_add_obj(body, "attestation");
    cJSON *certs = json_add_obj(json_add_obj(attestation, "x509"), what);
    const struct files *both[] = {first, second};
    static const char *const names[] = {"primary", "secondary"};
    auto_buf struct buf text = {0};
    auto_answer struct answer a = {0};

    json_add_str(attestation, "type", "x509");
    for (size_t i = 0; i < 2 && both[i]; i++) {
        auto_buf struct buf pem = {0};

        if (file_read(both[i]->cert, 65536, &pem, NULL) < 0)
            abort();
        json_add_str(json_add_obj(certs, names[i]), "certificate", buf_str(&pem));
    }
    json_print(&text, body);
    (void)service(&hub, "PUT", target, NULL, text.data, &a);
    return report(target, a.status == 200, answer_text(&a));
}

static struct device with(const struct files *f, const char *id)
{
    return (struct device){.id = id, .cert = f->cert, .cert_key = f->key};
}

static void accept_it(const char *name, const struct files *f, const char *id, const char *device)
{
    struct device d = with(f, id);
    auto_answer struct answer a = {0};

    (void)device_provision(&hub, &d, NULL, &a);
    report(name, a.status == 200 && str_eq(state_text(&a, "deviceId"), device), answer_text(&a));
}

static void refuse(const char *name, const struct files *f, const char *id)
{
    struct device d = with(f, id);
    auto_answer struct answer a = {0};

    (void)device_register(&hub, &d, NULL, &a);
    report(name, a.status == 401 && json_u64(a.body, "errorCode", 0) == 401002, answer_text(&a));
}

static void test_individual(void)
{
    struct device silent = {.id = "self"};
    struct device holder = with(&self, "self");
    auto_answer struct answer a = {0};
    auto_json cJSON *shown = NULL;

    if (!enrol("/enrollments/self", "clientCertificates", &self, &spare))
        return;
    accept_it("the primary certificate registers", &self, "self", "self");
    expect_login(&hub, "it logs in to the hub",
                 &(struct mqtt_login){.device = "self", .cert = self.cert, .cert_key = self.key},
                 0);
    expect_login(&hub, "and with the secondary",
                 &(struct mqtt_login){.device = "self", .cert = spare.cert, .cert_key = spare.key},
                 0);
    expect_login(&hub, "but not another",
                 &(struct mqtt_login){.device = "self", .cert = other.cert, .cert_key = other.key},
                 5);
    accept_it("so does the secondary", &spare, "self", "self");
    refuse("another one with the same name does not", &other, "self");
    report("nor does none", device_register(&hub, &silent, NULL, &a) == 401, answer_text(&a));
    shown = hub_shows(&hub, "devices", "self");
    report("its device proves itself with certificates, too",
           shown && str_eq(json_str(json_get(shown, "authentication"), "type", ""), "selfSigned"),
           NULL);
    (void)device_provision(&hub, &holder, NULL, &a);
    report("a device is told what certificate it showed",
           a.status == 200 &&
               str_eq(json_str(json_get(json_get(json_get(a.body, "registrationState"), "x509"),
                                        "certificateInfo"),
                               "subjectName", ""),
                      "CN=self"),
           answer_text(&a));
    (void)enrol("/enrollments/old", "clientCertificates", &expired, NULL);
    refuse("an expired certificate is refused although it is enrolled", &expired, "old");
}

static void test_group(void)
{
    struct device d = with(&by_ca, "unit-1");
    auto_answer struct answer a = {0};

    refuse("an authority that is not enrolled is worth nothing", &by_ca, "unit-1");
    if (!enrol("/enrollmentGroups/plant", "signingCertificates", &ca, NULL))
        return;
    accept_it("a group takes what its authority signed, by the common name", &by_ca, "unit-1",
              "unit-1");
    accept_it("also through an authority between", &by_sub, "unit-2", "unit-2");
    expect_login(
        &hub, "group member logs in to the hub",
        &(struct mqtt_login){.device = "unit-2", .cert = by_sub.cert, .cert_key = by_sub.key}, 0);
    refuse("but under no other name", &by_ca, "unit-9");
    refuse("and not what another of the same name signed", &by_stranger, "unit-3");
    (void)device_provision(&hub, &d, NULL, &a);
    report("the device learns its group",
           str_eq(json_str(json_get(json_get(a.body, "registrationState"), "x509"),
                           "enrollmentGroupId", ""),
                  "plant"),
           answer_text(&a));
    if (!enrol("/enrollments/unit-1", "clientCertificates", &other, NULL))
        return;
    refuse("an individual enrolment goes before the group", &by_ca, "unit-1");
    (void)service(&hub, "DELETE", "/enrollmentGroups/plant", NULL, NULL, &a);
    if (enrol("/enrollmentGroups/line", "signingCertificates", &sub_ca, NULL))
        accept_it("the authority that is enrolled need not be the topmost", &by_sub, "unit-2",
                  "unit-2");
}

static bool refer(const char *id, const char *authority)
{
    char target[100], body[300];
    auto_answer struct answer a = {0};

    snprintf(target, sizeof(target), "/enrollmentGroups/%s", id);
    snprintf(
        body, sizeof(body),
        "{\"attestation\":{\"type\":\"x509\",\"x509\":{\"caReferences\":{\"primary\":\"%s\"}}}}",
        authority);
    return report(target, service(&hub, "PUT", target, NULL, body, &a) == 200, answer_text(&a));
}

static void register_authority(const struct files *f)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_buf struct buf pem = {0};
    auto_buf struct buf text = {0};

    (void)file_read(f->cert, 65536, &pem, NULL);
    json_add_str(body, "certificate", buf_str(&pem));
    json_print(&text, body);
    report("an authority is registered with the hub",
           rest(&hub, NULL, "POST", "/sandbox/authorities", NULL, text.data, NULL) == 200, NULL);
}

static void test_references(void)
{
    auto_buf struct buf pem = {0};
    struct tls_cert_info info = {0};
    auto_answer struct answer a = {0};

    (void)service(&hub, "DELETE", "/enrollmentGroups/line", NULL, NULL, &a);
    if (file_read(ca.cert, 65536, &pem, NULL) < 0 ||
        tls_cert_read(pem.data, pem.len, &info, NULL) < 0)
        abort();
    if (!refer("by-thumbprint", info.sha256))
        return;
    refuse("a reference is worth nothing until its authority is registered", &by_sub, "unit-2");
    register_authority(&ca);
    accept_it("and then takes what that signed", &by_sub, "unit-2", "unit-2");
    refuse("but nothing of another", &by_stranger, "unit-3");
    if (!refer("by-name", "Line 7"))
        return;
    (void)service(&hub, "DELETE", "/enrollmentGroups/by-thumbprint", NULL, NULL, &a);
    refuse("the name of one that is not registered is worth nothing either", &by_sub, "unit-2");
    register_authority(&sub_ca);
    accept_it("an authority goes by its common name, too", &by_sub, "unit-2", "unit-2");
    refuse("which is not that of the one above it", &by_ca, "unit-1");
}

int main(void)
{
    json_init();
    make_certificates();
    if (!hub_begin(&hub) || !report("its record is there", dps_read_record(&hub), NULL))
        return 1;
    test_individual();
    test_group();
    test_references();
    (void)file_remove_tree(dir, NULL);
    return hub_finish(&hub);
}
