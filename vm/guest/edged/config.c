/* See config.h. The tables of keys are in config_provisioning.c and config_edge.c. */
#include "vm/guest/edged/config.h"

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "core/base/toml.h"
#include "vm/guest/edged/config_read.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CERT_NAME_MAX 64 /* a certificate's common name takes no more */

static void set_defaults(struct config *c)
{
    STR_SET(c->network, CONFIG_NETWORK_DEFAULT);
    c->metrics = true;
    c->metrics_every_s = 300;
    if (gethostname(c->hostname, sizeof(c->hostname) - 1) < 0)
        STR_SET(c->hostname, "localhost");
    STR_SET(c->tpm.tcti, "device:/dev/tpmrm0");
    c->tpm.key_index = 0x100;
    c->cloud_timeout_s = 70;
    c->cloud_retries = 1;
    c->management_requests = 50;
    c->workload_requests = 10;
    c->elevated = true;
    c->edge_ca.days = 90;
    c->edge_ca.renew = true;
    c->edge_ca.threshold.percent = 80;
    c->edge_ca.retry.percent = 4;
    c->images = (struct config_images){.enabled = true, .every_s = 86400, .age_s = 7 * 86400ULL};
}

/* additional_info: a TOML file of its own, with strings only. */
static int take_additional_info(struct config *c, const char *path, struct err *err)
{
    auto_buf struct buf text = {0};
    if (file_read(path, TOML_TEXT_MAX, &text, err) < 0)
        return -1;
    auto_toml struct toml *table = toml_parse(buf_str(&text), text.len, err);
    if (!table || config_take_pairs(&c->additional_info, table, NULL, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

static int parse(const char *text, size_t len, struct config *c, char info[CONFIG_PATH_MAX],
                 struct err *err)
{
    static const struct config_key info_key = {"additional_info", CONFIG_FILE,
                                               .size = CONFIG_PATH_MAX};
    set_defaults(c);
    auto_toml struct toml *root = toml_parse(text, len, err);
    if (!root || config_take_provisioning(c, root, err) < 0 || config_take_edge(c, root, err) < 0)
        return -1;
    return config_take(info, &info_key, 1, root, "", err);
}

int config_parse(const char *text, size_t len, struct config *ret, struct err *err)
{
    auto_config struct config c = {0};
    char info[CONFIG_PATH_MAX] = "";
    if (parse(text, len, &c, info, err) < 0)
        return -1;
    *ret = c;
    c = (struct config){0};
    return 0;
}

int config_load(const char *path, struct config *ret, struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    if (file_read(path, TOML_TEXT_MAX, &text, err) < 0)
        return -1;
    return config_load_text(path, &text, ret, err);
}

int config_load_text(const char *path, const struct buf *text, struct config *ret, struct err *err)
{
    auto_config struct config c = {0};
    char info[CONFIG_PATH_MAX] = "";
    if (parse(buf_str(text), text->len, &c, info, err) < 0 || config_check_files(&c, err) < 0)
        return err_wrap(err, "%s", path);
    if (info[0] && take_additional_info(&c, info, err) < 0)
        return err_wrap(err, "%s: additional_info", path);
    *ret = c;
    c = (struct config){0};
    return 0;
}

void config_done(struct config *c)
{
    secret_wipe(&c->provisioning.key);
    secret_wipe(&c->tpm.endorsement);
    secret_wipe(&c->tpm.owner);
    config_pairs_done(&c->preloaded_keys);
    config_pairs_done(&c->additional_info);
    free(c->network_options);
    explicit_bzero(c, sizeof(*c)); /* the proxy's password */
}

/* ------------------------------------------------------------------------------- host name */

static bool is_address(const char *text)
{
    unsigned char room[16];
    return inet_pton(AF_INET, text, room) == 1 || inet_pton(AF_INET6, text, room) == 1;
}

/* RFC 1035: labels of 1 to 63 letters, digits and hyphens that begin with a letter. */
static bool is_domain_name(const char *text)
{
    if (strlen(text) > 255)
        return false;
    for (;;) {
        size_t len = strcspn(text, ".");
        if (len == 0 || len > 63 || !isalpha((unsigned char)text[0]) || text[len - 1] == '-')
            return false;
        for (size_t i = 0; i < len; i++)
            if (!isalnum((unsigned char)text[i]) && text[i] != '-')
                return false;
        if (!text[len])
            return true;
        text += len + 1;
    }
}

int config_check_hostname(const char *hostname, const char *machine, struct err *err)
{
    size_t len = strlen(machine);
    if (is_address(hostname))
        return 0;
    if (strncasecmp(hostname, machine, len) != 0 || (hostname[len] && hostname[len] != '.'))
        return err_set(err, ERR_INVALID, "hostname \"%s\" is not the machine's, \"%s\"", hostname,
                       machine);
    if (!is_domain_name(hostname))
        return err_set(err, ERR_INVALID, "hostname \"%s\" is no domain name (RFC 1035)", hostname);
    if (strlen(hostname) > CERT_NAME_MAX)
        return err_set(
            err, ERR_INVALID,
            "hostname \"%s\" is longer than %d characters, the most that a certificate's "
            "name takes",
            hostname, CERT_NAME_MAX);
    return 0;
}
