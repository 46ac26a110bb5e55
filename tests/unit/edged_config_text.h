/* For tests of berth-edged's configuration: pieces of a config.toml. */
#ifndef BERTH_TESTS_EDGED_CONFIG_TEXT_H
#define BERTH_TESTS_EDGED_CONFIG_TEXT_H

#define KEY   "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" /* "0123456789abcdef..." */
#define AGENT "[agent]\nname = \"edgeAgent\"\ntype = \"docker\"\nconfig = { image = \"i\" }\n"
#define GOOD                                                    \
    "[provisioning]\nsource = \"manual\"\nconnection_string = " \
    "\"HostName=h.example:18883;DeviceId=d1;SharedAccessKey=" KEY "\"\n"
#define MANUAL(method)                                                                   \
    "[provisioning]\nsource = \"manual\"\niothub_hostname = \"h.example\"\ndevice_id = " \
    "\"d1\"\n[provisioning.authentication]\nmethod = \"" method "\"\n"
#define DPS(method)                                                                              \
    "[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"https://dps.example/x\"\nid_scope = " \
    "\"0ne00112233\"\npayload = { uri = \"file:///p.json\" }\n"                                  \
    "[provisioning.attestation]\nmethod = \"" method "\"\n"
#define X509 "identity_cert = \"file:///c.pem\"\nidentity_pk = \"file:///k.pem\"\n"
#define SAS  MANUAL("sas")

#endif
