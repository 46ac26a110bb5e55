/* berth-edged's configuration: what it takes from config.toml and how it refuses. */
#include "core/base/str.h"
#include "tests/unit/edged_config_text.h"
#include "vm/guest/edged/config.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static void take(struct config *c, const char *text)
{
    struct err err = {0};
    cr_assert_eq(config_parse(text, strlen(text), c, &err), 0, "%s\n%s", text, err.msg);
}

static void same_key(const struct secret *key)
{
    cr_assert_eq(key->len, 32);
    cr_assert_eq(memcmp(key->data, "0123456789abcdef0123456789abcdef", 32), 0);
}

/* ------------------------------------------------------------------------------- six methods */

Test(edged_config, takes_a_connection_string_and_defaults)
{
    auto_config struct config c = {0};
    take(&c, GOOD);
    cr_assert_eq(c.provisioning.method, CONFIG_CONNECTION_STRING);
    cr_assert_str_eq(c.provisioning.hub, "h.example");
    cr_assert_eq(c.provisioning.port, 18883);
    cr_assert_str_eq(c.provisioning.device_id, "d1");
    same_key(&c.provisioning.key);
    cr_assert_str_eq(c.network, "azure-iot-edge");
    cr_assert(c.elevated && c.hostname[0]);
    cr_assert_eq(c.reprovisioning, CONFIG_DYNAMIC);
    cr_assert_eq(c.cloud_timeout_s, 70);
    cr_assert_eq(c.cloud_retries, 1);
    cr_assert_eq(c.management_requests, 50);
    cr_assert(c.edge_ca.renew && c.edge_ca.days == 90 && c.edge_ca.threshold.percent == 80 &&
              c.edge_ca.retry.percent == 4);
    cr_assert(c.images.enabled && c.images.every_s == 86400 && c.images.age_s == 604800);
    cr_assert_str_eq(c.tpm.tcti, "device:/dev/tpmrm0");
    cr_assert_eq(c.tpm.key_index, 0x100);
}

Test(edged_config, takes_a_connection_string_before_anything_else)
{
    auto_config struct config c = {0};
    take(&c, "[provisioning]\niothub_hostname = \"other\"\nsource = \"manual\"\nconnection_string ="
             " \"HostName=h;DeviceId=d;SharedAccessKey=" KEY ";ModuleId=\"\n");
    cr_assert_str_eq(c.provisioning.hub, "h");
}

Test(edged_config, takes_a_manual_key_inline)
{
    auto_config struct config c = {0};
    take(&c, MANUAL("sas") "device_id_pk = { value = \"" KEY "\" }\n");
    cr_assert_eq(c.provisioning.method, CONFIG_MANUAL_KEY);
    cr_assert_str_eq(c.provisioning.hub, "h.example");
    cr_assert_eq(c.provisioning.port, 0);
    cr_assert_str_eq(c.provisioning.device_id, "d1");
    same_key(&c.provisioning.key);
}

Test(edged_config, takes_a_manual_key_from_a_file)
{
    auto_config struct config c = {0};
    take(&c, MANUAL("sas") "device_id_pk = { uri = \"file:///var/my%20key\" }\n");
    cr_assert_str_eq(c.provisioning.key_file, "/var/my key");
    cr_assert_eq(c.provisioning.key.len, 0);
    cr_assert_eq(c.preloaded_keys.n, 1);
    cr_assert_str_eq(c.preloaded_keys.at[0].name, "device-id");
    cr_assert_str_eq(c.preloaded_keys.at[0].value, "/var/my key");
}

Test(edged_config, takes_a_manual_certificate)
{
    auto_config struct config c = {0};
    take(&c, MANUAL("x509") X509);
    cr_assert_eq(c.provisioning.method, CONFIG_MANUAL_X509);
    cr_assert_str_eq(c.provisioning.cert, "/c.pem");
    cr_assert_str_eq(c.provisioning.cert_key, "/k.pem");
}

Test(edged_config, takes_a_provisioning_service_and_a_key)
{
    auto_config struct config c = {0};
    take(&c, DPS("symmetric_key") "registration_id = \"r1\"\nsymmetric_key = { value = \"" KEY
                                  "\" }\n");
    cr_assert_eq(c.provisioning.method, CONFIG_DPS_KEY);
    cr_assert_str_eq(c.provisioning.dps, "dps.example:443");
    cr_assert_str_eq(c.provisioning.id_scope, "0ne00112233");
    cr_assert_str_eq(c.provisioning.registration_id, "r1");
    cr_assert_str_eq(c.provisioning.payload, "/p.json");
    same_key(&c.provisioning.key);
}

Test(edged_config, takes_a_provisioning_service_and_a_certificate)
{
    auto_config struct config c = {0};
    take(&c, DPS("x509") X509);
    cr_assert_eq(c.provisioning.method, CONFIG_DPS_X509);
    cr_assert_str_eq(c.provisioning.registration_id, "", "it is the certificate's name");
    cr_assert_str_eq(c.provisioning.cert, "/c.pem");
}

Test(edged_config, takes_a_provisioning_service_and_a_tpm)
{
    auto_config struct config c = {0};
    take(&c, DPS("tpm") "registration_id = \"r-1._:a\"\n"
                        "[tpm]\ntcti = \"swtpm:port=2321\"\nauth_key_index = 0x01_02_03\n"
                        "[tpm.hierarchy_authorization]\nendorsement = \"hello\"\nowner = \"\"\n");
    cr_assert_eq(c.provisioning.method, CONFIG_DPS_TPM);
    cr_assert_str_eq(c.provisioning.registration_id, "r-1._:a");
    cr_assert_str_eq(c.tpm.tcti, "swtpm:port=2321");
    cr_assert_eq(c.tpm.key_index, 0x010203);
    cr_assert_str_eq(c.tpm.endorsement.data, "hello");
    cr_assert_eq(c.tpm.owner.len, 0);
}

Test(edged_config, names_each_method)
{
    for (int i = 0; i < CONFIG_METHOD_COUNT; i++) {
        const char *name = config_method_name((enum config_method)i);
        cr_assert(name && *name);
        cr_assert_eq(str_starts(name, "dps."), config_method_dps((enum config_method)i));
        cr_assert_eq(str_ends(name, ".x509"), config_method_x509((enum config_method)i));
    }
}

/* ------------------------------------------------------------------------------- the rest */

static const char everything[] =
    "hostname = \"edge-7\"\nallow_elevated_docker_permissions = false\n"
    "trust_bundle_cert = \"file:///var/ca.pem\"\nauto_reprovisioning_mode = \"AlwaysOnStartup\"\n"
    "cloud_timeout_sec = 100\ncloud_retries = 3\nprefer_module_identity_cache = true\n"
    "iotedge_max_requests = { management = 60, workload = 5 }\n"
    "aziot_max_requests = { keyd = 1 }\n"
    "additional_info = \"file:///info.toml\"\n"
    "imported_master_encryption_key = \"/var/lib/old.key\"\n" GOOD "[localid]\ndomain = \"x\"\n"
    "[aziot_keys]\nhomedir_path = \"/k\"\n"
    "[preloaded_keys]\naziot_identityd_master_id = \"file:///m.key\"\n"
    "[preloaded_certs]\na = \"file:///a.pem\"\nb = [\"a\"]\n"
    "[cert_issuance.est]\ntrusted_certs = [\"file:///x\"]\n"
    "[agent]\nname = \"edgeAgent\"\ntype = \"docker\"\nimagePullPolicy = \"never\"\n"
    "[agent.config]\nimage = \"mcr.example/agent:1\"\ncreateOptions = { HostConfig = { Binds = "
    "[\"/a:/a\"] } }\n"
    "[agent.config.auth]\nserveraddress = \"r.example\"\nusername = \"u\"\npassword = \"p\"\n"
    "[agent.env]\nhttps_proxy = \"http://proxy:3128\"\nRuntimeLogLevel = \"debug\"\nEmpty = \"\"\n"
    "[connect]\nworkload_uri = \"unix:///var/run/iotedge/workload.sock\"\n"
    "[listen]\nworkload_uri = \"fd://aziot-edged.workload.socket\"\n"
    "management_uri = \"unix:///run/m.sock\"\n"
    "[watchdog]\nmax_retries = \"infinite\"\n"
    "[edge_ca]\nauto_generated_edge_ca_expiry_days = 30\n"
    "[edge_ca.auto_renew]\nrotate_key = true\nthreshold = \"75%\"\nretry = \"2 days 3h\"\n"
    "[moby_runtime]\nuri = \"unix:///run/x.sock\"\nnetwork = { name = \"edge\", ipv6 = true, ipam "
    "= "
    "{ config = [ { gateway = \"10.0.0.1\", subnet = \"10.0.0.0/24\", ip_range = "
    "\"10.0.0.0/25\" } ] } }\n"
    "[moby_runtime.content_trust.ca_certs]\n\"r.example\" = \"file:///r.pem\"\n"
    "[image_garbage_collection]\nenabled = false\ncleanup_recurrence = \"2d\"\n"
    "image_age_cleanup_threshold = \"12h\"\ncleanup_time = \"23:59\"\n"
    "[unknown]\nkey = 1\n";

Test(edged_config, takes_every_other_key)
{
    auto_config struct config c = {0};
    take(&c, everything);
    cr_assert_str_eq(c.hostname, "edge-7");
    cr_assert_str_eq(c.trust_bundle, "/var/ca.pem");
    cr_assert_not(c.elevated);
    cr_assert_eq(c.reprovisioning, CONFIG_ALWAYS_ON_STARTUP);
    cr_assert_eq(c.cloud_timeout_s, 100);
    cr_assert_eq(c.cloud_retries, 3);
    cr_assert(c.prefer_cache);
    cr_assert_eq(c.management_requests, 60);
    cr_assert_eq(c.workload_requests, 5);
    cr_assert_eq(c.preloaded_keys.n, 2);
    cr_assert_str_eq(c.agent_image, "mcr.example/agent:1");
    cr_assert_str_eq(c.proxy, "http://proxy:3128");
    cr_assert_str_eq(c.log_level, "debug");
    cr_assert_str_eq(c.workload_socket, "");
    cr_assert_str_eq(c.management_socket, "/run/m.sock");
    cr_assert_eq(c.edge_ca.days, 30);
    cr_assert_eq(c.edge_ca.threshold.percent, 75);
    cr_assert_eq(c.edge_ca.retry.seconds, 2 * 86400 + 3 * 3600);
    cr_assert_str_eq(c.engine_socket, "/run/x.sock");
    cr_assert_str_eq(c.network, "edge");
    cr_assert_str_eq(c.network_options,
                     "{\"EnableIPv6\":true,\"IPAM\":{\"Config\":[{\"Gateway\":\"10.0.0.1\","
                     "\"Subnet\":\"10.0.0.0/24\",\"IPRange\":\"10.0.0.0/25\"}]}}");
    cr_assert_not(c.images.enabled);
    cr_assert_eq(c.images.every_s, 2 * 86400);
    cr_assert_eq(c.images.age_s, 12 * 3600);
    cr_assert_eq(c.images.minute, 23 * 60 + 59);
}

Test(edged_config, measures_unless_the_agent_is_told_not_to)
{
    auto_config struct config usual = {0}, off = {0}, often = {0};
    take(&usual, GOOD);
    cr_assert(usual.metrics && usual.metrics_every_s == 300);
    take(&off, GOOD AGENT "[agent.env]\nMetricsEnabled = \"False\"\n");
    cr_assert_not(off.metrics);
    take(&often, GOOD AGENT "[agent.env]\nPerformanceMetricsUpdateFrequency = \"00:00:10\"\n");
    cr_assert(often.metrics && often.metrics_every_s == 10);
}

Test(edged_config, takes_the_three_shapes_of_an_edge_ca)
{
    auto_config struct config given = {0}, made = {0}, once = {0};
    take(&given, GOOD "[edge_ca]\ncert = \"file:///ca.pem\"\npk = \"file:///ca.key\"\n");
    cr_assert_str_eq(given.edge_ca.cert, "/ca.pem");
    cr_assert_str_eq(given.edge_ca.key, "/ca.key");
    take(&made,
         GOOD "[edge_ca]\nmethod = \"self_signed\"\nexpiry_days = 10\nsubject = { CN = \"me\" "
              "}\nauto_renew = { rotate_key = true }\n");
    cr_assert_str_eq(made.edge_ca.common_name, "me");
    cr_assert(made.edge_ca.days == 10 && made.edge_ca.renew);
    take(&once, GOOD "[edge_ca]\nmethod = \"self_signed\"\ncommon_name = \"x\"\n");
    cr_assert_not(once.edge_ca.renew);
}

/* ------------------------------------------------------------------------------- refusals */

struct wrong {
    char text[560];
    enum err_kind kind;
    char message[100];
};

#define KEYD DPS("symmetric_key") "registration_id = \"r\"\n"

ParameterizedTestParameters(edged_config, names_line_and_key_of_what_is_wrong)
{
    static struct wrong rows[] = {
        {"", ERR_INVALID, "[provisioning] is missing"},
        {GOOD AGENT "[agent.env]\nPerformanceMetricsUpdateFrequency = \"00:00:01\"\n", ERR_INVALID,
         "PerformanceMetricsUpdateFrequency must be like \"00:05:00\""},
        {"x = \n", ERR_INVALID, "line 1: a value is missing"},
        {"provisioning = 1\n", ERR_INVALID, "line 1: provisioning.source is missing"},
        {"[provisioning]\nconnection_string = \"x\"\n", ERR_INVALID,
         "line 1: provisioning.source is missing"},
        {"\n[provisioning]\nsource = \"manual\"\n", ERR_INVALID,
         "line 2: provisioning.connection_string is missing"},
        {"[provisioning]\nsource = \"none\"\n", ERR_UNSUPPORTED, "line 2: provisioning.source"},
        {"[provisioning]\nsource = \"Manual\"\n", ERR_INVALID,
         "line 2: provisioning.source must be"},
        {"[provisioning]\nsource = 5\n", ERR_INVALID,
         "line 2: provisioning.source must be a string"},
        {"[provisioning]\nsource = \"manual\"\nconnection_string = "
         "\"HostName=h;DeviceId=d;SharedAccessKey=!!\"\n",
         ERR_INVALID, "line 3: provisioning.connection_string: SharedAccessKey"},
        {"[provisioning]\nsource = \"manual\"\nconnection_string = 3\n", ERR_INVALID,
         "line 3: provisioning.connection_string: must be a string"},
        {"[provisioning]\nsource = \"manual\"\nconnection_string = "
         "\"HostName=h;SharedAccessKey=" KEY "\"\n",
         ERR_INVALID, "DeviceId is missing"},
        {"parent_hostname = \"p\"\n" GOOD, ERR_UNSUPPORTED, "line 1: parent_hostname: nested"},
        {"local_gateway_hostname = \"p\"\n" GOOD, ERR_UNSUPPORTED, "nested"},
        /* manual */
        {"[provisioning]\nsource = \"manual\"\niothub_hostname = \"h\"\n", ERR_INVALID,
         "line 1: provisioning.authentication.method is missing"},
        {MANUAL("tpm"), ERR_INVALID, "method must be one of \"sas\", \"x509\""},
        {SAS, ERR_INVALID, "line 1: provisioning.authentication.device_id_pk is missing"},
        {SAS "device_id_pk = \"" KEY "\"\n", ERR_INVALID,
         "line 7: provisioning.authentication.device_id_pk: must be a table"},
        {SAS "device_id_pk = {}\n", ERR_INVALID, "must be { value = "},
        {SAS "device_id_pk = { value = \"%%%\" }\n", ERR_INVALID, "not base64"},
        {SAS "device_id_pk = { value = \"QUJD\" }\n", ERR_INVALID, "holds 3 bytes"},
        {SAS "device_id_pk = { uri = \"pkcs11:x\" }\n", ERR_UNSUPPORTED, "PKCS#11"},
        {SAS "device_id_pk = { uri = \"/k\" }\n", ERR_INVALID, "must begin with file:///"},
        {SAS "device_id_pk = { uri = \"file:///a%2\" }\n", ERR_INVALID, "begins no escape"},
        {"[provisioning]\nsource = \"manual\"\niothub_hostname = \"h h\"\ndevice_id = \"d\"\n"
         "[provisioning.authentication]\nmethod = \"sas\"\n",
         ERR_INVALID, "line 3: provisioning.iothub_hostname: must be a host name"},
        {"[provisioning]\nsource = \"manual\"\niothub_hostname = \"h\"\ndevice_id = \"d/e\"\n"
         "[provisioning.authentication]\nmethod = \"sas\"\n",
         ERR_INVALID, "line 4: provisioning.device_id: holds a character"},
        {MANUAL("x509") "identity_cert = \"file:///c.pem\"\n", ERR_INVALID,
         "provisioning.authentication.identity_pk is missing"},
        {MANUAL("x509") "identity_cert = { method = \"est\" }\n", ERR_UNSUPPORTED,
         "line 7: provisioning.authentication.identity_cert: certificates issued"},
        {MANUAL("x509") "identity_cert = \"file:///c.pem\"\nidentity_pk = \"pkcs11:o\"\n",
         ERR_UNSUPPORTED, "line 8: provisioning.authentication.identity_pk: PKCS#11"},
        /* dps */
        {"[provisioning]\nsource = \"dps\"\n", ERR_INVALID,
         "line 1: provisioning.attestation.method is missing"},
        {DPS("sas"), ERR_INVALID, "one of \"symmetric_key\", \"x509\", \"tpm\""},
        {DPS("tpm"), ERR_INVALID, "provisioning.attestation.registration_id is missing"},
        {DPS("tpm") "registration_id = \"a/b\"\n", ERR_INVALID, "line 8: "},
        {KEYD, ERR_INVALID, "provisioning.attestation.symmetric_key is missing"},
        {"[provisioning]\nsource = \"dps\"\nid_scope = \"0ne\"\nattestation = { method = \"tpm\", "
         "registration_id = \"r\" }\n",
         ERR_INVALID, "provisioning.global_endpoint is missing"},
        {"[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"http://x\"\nattestation = { method "
         "= "
         "\"tpm\" }\n",
         ERR_INVALID, "line 3: provisioning.global_endpoint: must begin with https://"},
        {"[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"https://:1\"\nattestation = { "
         "method "
         "= \"tpm\" }\n",
         ERR_INVALID, "line 3: provisioning.global_endpoint: holds no host name"},
        {"[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"https://x\"\nid_scope = \"0ne/\"\n"
         "attestation = { method = \"tpm\" }\n",
         ERR_INVALID, "line 4: provisioning.id_scope"},
        /* the rest */
        {"cloud_timeout_sec = 10\n" GOOD, ERR_INVALID,
         "line 1: cloud_timeout_sec: must be 70 or more"},
        {"cloud_retries = -1\n" GOOD, ERR_INVALID, "line 1: cloud_retries: must be 0 or more"},
        {"cloud_retries = \"1\"\n" GOOD, ERR_INVALID, "cloud_retries must be a whole number"},
        {"auto_reprovisioning_mode = \"dynamic\"\n" GOOD, ERR_INVALID,
         "line 1: auto_reprovisioning_mode: must be one of \"Dynamic\""},
        {"trust_bundle_cert = \"/a.pem\"\n" GOOD, ERR_INVALID, "must begin with file:///"},
        {"hostname = \"\"\n" GOOD, ERR_INVALID, "line 1: hostname: is empty"},
        {"iotedge_max_requests = { management = 0 }\n" GOOD, ERR_INVALID,
         "iotedge_max_requests.management: must be 1 or more"},
        {GOOD "[agent.env]\nhttps_proxy = \"http://p:1\"\n", ERR_INVALID,
         "line 4: agent.name is missing"},
        {GOOD "[agent]\nname = \"edgeAgent\"\ntype = \"x\"\n", ERR_INVALID, "line 6: agent.type"},
        {GOOD "[agent]\nname = \"edgeAgent\"\ntype = \"docker\"\n", ERR_INVALID,
         "agent.config.image is missing"},
        {GOOD "[agent]\nname = \"a\"\ntype = \"docker\"\nconfig = { image = \"i\" }\nenv = { A = 1 "
              "}\n",
         ERR_INVALID, "agent.env: A (line 8): must be a string"},
        {GOOD "[agent]\nname = \"a\"\ntype = \"docker\"\nconfig = { image = \"i\" }\n"
              "imagePullPolicy = \"always\"\n",
         ERR_INVALID, "line 8: agent.imagePullPolicy: must be one of \"on-create\", \"never\""},
        {GOOD "[edge_ca]\nmethod = \"est\"\n", ERR_UNSUPPORTED, "line 5: edge_ca.method: \"est\""},
        {GOOD "[edge_ca]\nmethod = \"local_ca\"\n", ERR_UNSUPPORTED, "line 5: edge_ca.method"},
        {GOOD "[edge_ca]\ncert = \"file:///a\"\n", ERR_INVALID, "line 4: edge_ca.pk is missing"},
        {GOOD "[edge_ca]\nauto_generated_edge_ca_expiry_days = 0\n", ERR_INVALID,
         "line 5: edge_ca.auto_generated_edge_ca_expiry_days"},
        {GOOD "[edge_ca.auto_renew]\nrotate_key = false\n", ERR_INVALID,
         "edge_ca.auto_renew.rotate_key: must be true"},
        {GOOD "[edge_ca.auto_renew]\nthreshold = \"100%\"\n", ERR_INVALID, "1% to 99%"},
        {GOOD "[edge_ca.auto_renew]\nretry = \"soon\"\n", ERR_INVALID, "edge_ca.auto_renew.retry"},
        {GOOD "[aziot_keys]\npkcs11_lib_path = \"/x\"\n", ERR_UNSUPPORTED,
         "line 4: aziot_keys: PKCS#11 (line 5)"},
        {GOOD "[preloaded_keys]\na = \"pkcs11:x\"\n", ERR_UNSUPPORTED,
         "preloaded_keys: a (line 5)"},
        {GOOD "[watchdog]\nmax_retries = \"many\"\n", ERR_INVALID, "line 5: watchdog.max_retries"},
        {GOOD "[listen]\nmanagement_uri = \"tcp://x\"\n", ERR_INVALID, "line 5: listen"},
        {GOOD "[connect]\nmanagement_uri = \"http://x\"\n", ERR_INVALID,
         "must begin with unix:///"},
        {GOOD "[moby_runtime]\nuri = \"http://x\"\n", ERR_INVALID, "line 5: moby_runtime.uri"},
        {GOOD "[moby_runtime]\nnetwork = { ipv6 = true }\n", ERR_INVALID,
         "line 5: moby_runtime.network.name is missing"},
        {GOOD "[moby_runtime]\nnetwork = { name = \"x\", ipam = { config = [ 1 ] } }\n",
         ERR_INVALID, "line 5: moby_runtime.network.ipam.config"},
        {GOOD "[image_garbage_collection]\ncleanup_recurrence = \"1h\"\n", ERR_INVALID,
         "must be whole days"},
        {GOOD "[image_garbage_collection]\ncleanup_time = \"24:00\"\n", ERR_INVALID,
         "line 5: image_garbage_collection.cleanup_time: must be HH:MM"},
        {GOOD "[tpm]\nauth_key_index = 0x800000\n", ERR_INVALID, "line 5: tpm.auth_key_index"},
    };
    return cr_make_param_array(struct wrong, rows, ARRAY_LEN(rows), NULL);
}

ParameterizedTest(struct wrong *row, edged_config, names_line_and_key_of_what_is_wrong)
{
    struct err err = {0};
    struct config c = {0};
    cr_assert_lt(config_parse(row->text, strlen(row->text), &c, &err), 0, "accepted: %s",
                 row->text);
    cr_assert_eq(err.kind, row->kind, "%s", err.msg);
    cr_assert(strstr(err.msg, row->message), "\"%s\" does not say \"%s\"", err.msg, row->message);
    cr_assert_null(strstr(err.msg, KEY), "the key is in the message");
}

/* ------------------------------------------------------------------------------- host name */

Test(edged_config, judges_the_host_name_as_the_check_does)
{
    static const struct {
        const char *name, *machine, *says;
    } rows[] = {
        {"edge", "edge", NULL},
        {"EDGE.example", "edge", NULL},
        {"10.1.2.3", "edge", NULL},
        {"fe80::1", "edge", NULL},
        {"edge2", "edge", "not the machine's"},
        {"other", "edge", "not the machine's"},
        {"1edge", "1edge", "no domain name"},
        {"my_edge", "my_edge", "no domain name"},
        {"edge.", "edge", "no domain name"},
        {"a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aa", "a", NULL},
        {"a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aa", "a",
         "longer than 64"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        int status = config_check_hostname(rows[i].name, rows[i].machine, &err);
        cr_expect_eq(status, rows[i].says ? -1 : 0, "%s: %s", rows[i].name, err.msg);
        cr_expect(!rows[i].says || strstr(err.msg, rows[i].says), "%s: %s", rows[i].name, err.msg);
    }
}
