/* Steps at the sandbox, on this host. */
#include "provision/provision_private.h"

#include "core/base/file.h"
#include "core/base/mem.h"

#include <string.h>

#define PUSH_MS 110000
#define CA_MAX  (64U << 10)

static bool rest_ready(struct provision *p)
{
    struct err err;
    if (provision_need_sandbox(p, &err) == 0) {
        hub_rest_free(p->rest);
        p->rest = hub_rest_new(p->loop, &p->sandbox, NULL, &err);
    }
    if (!p->rest)
        provision_end(p, &err);
    return p->rest != NULL;
}

/* ---- the device ---- */

static void on_device(void *arg, const char *connection_string, const struct err *err)
{
    struct provision *p = arg;
    struct err why;
    if (!err && provision_set_string(p, connection_string, strlen(connection_string), &why) < 0)
        err = &why;
    provision_end(p, err);
}

void step_register_device(struct provision *p)
{
    if (rest_ready(p))
        hub_rest_device(p->rest, p->device_id, on_device, p);
}

/* ---- the image ---- */

static void on_stored(void *arg, const struct child_result *result, const struct err *err)
{
    struct provision *p = arg;
    (void)result;
    p->child = NULL;
    struct err why;
    if (err) {
        why = *err;
        err_wrap(&why, "store the sample image in the sandbox's registry");
        err = &why;
    }
    provision_end(p, err);
}

/* skopeo takes the CA from a folder of certificates. Heap string; NULL with ERR. */
static char *certs_folder(const struct provision *p, struct err *err)
{
    auto_free char *dir = sandbox_path("registry-certs");
    auto_free char *file = xasprintf("%s/ca.crt", dir);
    auto_buf struct buf ca = {0};
    if (file_read(p->sandbox.ca_file, CA_MAX, &ca, err) < 0 || file_mkdirs(dir, 0700, err) < 0 ||
        file_write(file, ca.data, ca.len, 0600, err) < 0)
        return NULL;
    return steal(dir);
}

void step_store_image(struct provision *p)
{
    struct err err;
    if (!p->sample || (provision_need_sandbox(p, &err) == 0 && !p->sandbox.registry_port)) {
        provision_end(p, NULL); /* nothing to store, or nowhere */
        return;
    }
    auto_free char *certs = p->has_sandbox ? certs_folder(p, &err) : NULL;
    if (!certs) {
        provision_end(p, &err);
        return;
    }
    auto_free char *from = xasprintf("docker-archive:%s", p->sample);
    auto_free char *to =
        xasprintf("docker://127.0.0.1:%u/berth-sensor:latest", p->sandbox.registry_port);
    /* The image is ours and local: no signature policy of this host has to allow it. */
    const char *argv[] = {
        "skopeo", "--insecure-policy", "copy", "--quiet", "--dest-cert-dir", certs, from, to, NULL};
    struct child_options options = {.argv = argv, .timeout_ms = PUSH_MS};
    p->child = child_start(p->loop, &options, on_stored, p);
}

/* ---- the deployment ---- */

static void on_deployed(void *arg, const struct err *err)
{
    provision_end(arg, err);
}

void step_deploy_sample(struct provision *p)
{
    if (!p->sample) {
        provision_end(p, NULL);
        return;
    }
    const char *manifest = hub_rest_sample_manifest();
    if (rest_ready(p))
        hub_rest_deploy(p->rest, p->device_id, manifest, strlen(manifest), on_deployed, p);
}
