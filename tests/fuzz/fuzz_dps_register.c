/* What devices send to be registered, first byte: 'k' with the token of a key, 't' as a TPM without
 * one, 'p' and 'l' ask how it went. The whole service answers, over a real database. */
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/dps_records.h"
#include "vm/guest/hub/dps_register.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hubs[] = {"sandbox.berth.internal", NULL};
static struct hub hub = {.host = "sandbox.berth.internal", .hubs = hubs};
static struct secret token;
static char dir[] = "/tmp/berth-fuzz-dps-XXXXXX";

static void enrol(const char *id, const char *json)
{
    auto_json cJSON *body = json_parse(json, strlen(json), NULL);
    auto_dps_enrolment struct dps_enrolment e = {0};
    struct err err = {0};

    if (dps_records_put(hub.dps, false, id, body, NULL, &e, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
}

static void clean(void)
{
    (void)file_remove_tree(dir, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[64], sr[100];

    (void)argc;
    (void)argv;
    json_init();
    if (!mkdtemp(dir) || atexit(clean) != 0)
        abort();
    (void)str_format(path, sizeof(path), "%s/hub.db", dir);
    if (store_open(path, &hub.store, NULL) < 0 || !(hub.dps = dps_new(&hub, NULL)))
        abort();
    hub.clients = clients_new(&hub);
    enrol("key", "{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":"
                 "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}}}");
    enrol(
        "tpm",
        "{\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":"
        "\"AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAthr2ZJi"
        "J7T8XGt+1kRCZIXJIfk17vcohP9P6/23pSpNkSuuPOURzmLEznGSGvFE72q3ZnNf0S4USoDGcmWnYy6ur+BGlCHVn"
        "UEDJaZdXGo7o4Vxf0Ojh7FqVvskBrnLsPEOk7qB005xkAPXT6H0huSlebJOEQKz93LPFMiqmi9fRYM0RqupfdUjJ0"
        "f4FGr4TdufoL5sg5J5yHcUPbQs9xt2qdf3vNmkWeRvseKoq5Zj4ucDrPR+ZpKtbD1jL9PneZK97CxhZtZf8Cgwh78"
        "gxD2Qt6k7+Rud8dmhJmoNpt9tmTjx8dev0DhFf1IeY9QIudenRCrmThrrkBmZ+aYXHiQ==\"}}}");
    (void)str_format(sr, sizeof(sr), "%s/registrations/key", dps_id_scope(hub.dps));
    return sas_make(sr,
                    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", clock_wall_ms() / 1000 + 864000,
                    "registration", &token, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char kind = size > 0 ? (char)data[0] : ' ';
    auto_json cJSON *body = size > 1 ? json_parse((const char *)data + 1, size - 1, NULL) : NULL;
    auto_dps_reply struct dps_reply answer = {0};
    struct dps_request q = {.id = kind == 't' ? "tpm" : "key", .body = body};
    char operation[DPS_OPERATION_MAX] = "";

    if (kind != 't')
        q.proof = (struct auth_proof){.token = token.data, .len = token.len};
    if (kind == 'p') {
        memcpy(operation, data + 1,
               size - 1 < sizeof(operation) ? size - 1 : sizeof(operation) - 1);
        dps_register_poll(hub.dps, &q, operation, &answer);
    } else if (kind == 'l') {
        dps_register_lookup(hub.dps, &q, &answer);
    } else {
        dps_register_device(hub.dps, &q, &answer);
    }
    assert(answer.status >= 200 && answer.status < 500 && cJSON_IsObject(answer.body));
    assert(answer.status < 300 ||
           json_u64(answer.body, "errorCode", 0) / 1000 == (uint64_t)answer.status);
    return 0;
}
