/* See deployment.h. What is accepted and refused here is what Microsoft's agent accepts and
 * refuses. */
#include "vm/guest/edged/deployment.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/create_options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const policy_names[] = {
    [RESTART_NEVER] = "never",
    [RESTART_ON_FAILURE] = "on-failure",
    [RESTART_ON_UNHEALTHY] = "on-unhealthy",
    [RESTART_ALWAYS] = "always",
};
_Static_assert(ARRAY_LEN(policy_names) == RESTART_POLICY_COUNT, "a name for each policy");

const char *restart_policy_name(enum restart_policy policy)
{
    return (unsigned)policy < RESTART_POLICY_COUNT ? policy_names[policy] : "never";
}

/* ------------------------------------------------------------------------------- module fields */

static int need_type(const cJSON *module, struct err *err)
{
    const char *type = NULL;
    if (json_need_str(module, "type", &type, err) < 0)
        return -1;
    return str_eq(type, "docker") ? 0 : err_set(err, ERR_INVALID, "type must be \"docker\"");
}

static int parse_status(const cJSON *module, bool *ret_running, struct err *err)
{
    const char *status = NULL;
    if (json_need_str(module, "status", &status, err) < 0)
        return -1;
    if (!str_eq(status, "running") && !str_eq(status, "stopped"))
        return err_set(err, ERR_INVALID, "status must be \"running\" or \"stopped\"");
    *ret_running = status[0] == 'r';
    return 0;
}

static int parse_restart(const cJSON *module, enum restart_policy fallback,
                         enum restart_policy *ret, struct err *err)
{
    const cJSON *item = json_get(module, "restartPolicy");
    if (!item) {
        *ret = fallback;
        return 0;
    }
    for (size_t i = 0; cJSON_IsString(item) && i < RESTART_POLICY_COUNT; i++) {
        if (str_eq(item->valuestring, policy_names[i])) {
            *ret = (enum restart_policy)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "restartPolicy must be never, on-failure, on-unhealthy or always");
}

static int parse_pull(const cJSON *module, bool *ret_pull, struct err *err)
{
    const cJSON *item = json_get(module, "imagePullPolicy");
    const char *policy = item ? json_str(module, "imagePullPolicy", "") : "on-create";
    if (!str_eq(policy, "on-create") && !str_eq(policy, "never"))
        return err_set(err, ERR_INVALID, "imagePullPolicy must be on-create or never");
    *ret_pull = policy[0] == 'o';
    return 0;
}

static int parse_order(const cJSON *module, uint32_t *ret_order, struct err *err)
{
    uint64_t order = DEPLOYMENT_ORDER_LAST;
    if (json_get(module, "startupOrder") &&
        json_need_u64(module, "startupOrder", DEPLOYMENT_ORDER_LAST, &order, err) < 0)
        return -1;
    *ret_order = (uint32_t)order;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct env_var *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int parse_env(const cJSON *module, struct module_spec *spec, struct err *err)
{
    const cJSON *env = json_get(module, "env"), *item = NULL;
    if (!env || cJSON_IsNull(env))
        return 0;
    if (!cJSON_IsObject(env))
        return err_set(err, ERR_INVALID, "env must be an object");
    spec->env = xcalloc((size_t)cJSON_GetArraySize(env) + 1, sizeof(*spec->env));
    cJSON_ArrayForEach(item, env)
    {
        const cJSON *value = json_get(item, "value");
        auto_buf struct buf text = {0};
        if (!item->string[0] || strchr(item->string, '='))
            return err_set(err, ERR_INVALID, "env: \"%s\" cannot be a variable's name",
                           item->string);
        if (cJSON_IsString(value))
            buf_puts(&text, value->valuestring);
        else if (cJSON_IsNumber(value) || cJSON_IsBool(value))
            json_print(&text, value);
        else if (value && !cJSON_IsNull(value))
            return err_set(err, ERR_INVALID, "env.%s.value must be a string", item->string);
        spec->env[spec->n_env++] =
            (struct env_var){.name = xstrdup(item->string), .value = buf_steal(&text)};
    }
    /* a hub may give the members in any order */
    qsort(spec->env, spec->n_env, sizeof(*spec->env), by_name);
    return 0;
}

/* PATH/NAME[:TAG] after trimming, no digest; no tag means ":latest". */
static int parse_image(const cJSON *settings, char **ret_image, struct err *err)
{
    const cJSON *item = cJSON_GetObjectItem(settings, "image"); /* any case, as Microsoft's agent */
    if (!cJSON_IsString(item))
        return err_set(err, ERR_INVALID, "settings.image is missing");
    auto_free char *copy = xstrdup(item->valuestring);
    const char *image = str_trim(copy);
    if (image[0] == '$')
        return err_set(err, ERR_INVALID, "settings.image: %s needs a parent device", image);

    const char *slash = strrchr(image, '/');
    const char *last = slash ? slash + 1 : image;
    const char *colon = strchr(last, ':');
    bool bad = strpbrk(image, " \t\r\n?#%\\\"") || !*last || last[0] == ':' ||
               (colon && (!colon[1] || strchr(colon + 1, ':')));
    if (bad || strlen(image) > 500)
        return err_set(err, ERR_INVALID, "settings.image: \"%s\" is not an image's name", image);
    *ret_image = colon ? xstrdup(image) : xasprintf("%s:latest", image);
    return 0;
}

/* As a twin key, and as the name of a container. */
static int check_name(const char *name, struct err *err)
{
    bool good = isalnum((unsigned char)name[0]) && name[1];
    for (const char *c = name; *c; c++)
        good = good && (isalnum((unsigned char)*c) || *c == '_' || *c == '-');
    if (good && strlen(name) < DEPLOYMENT_NAME_MAX)
        return 0;
    char shown[80];
    str_sanitise_to(shown, sizeof(shown), name);
    err_set(err, ERR_INVALID, "modules: \"%s\" cannot be a module's name", shown);
    return err_hint(err, "letters, digits, _ and -, at least two, a letter or digit first");
}

/* ------------------------------------------------------------------------------- module */

static void hash_text(uint64_t *hash, const char *text)
{
    const char *at = text ? text : "\x01";
    do { /* the NUL counts: it divides the parts */
        *hash = (*hash ^ (unsigned char)*at) * 1099511628211ULL;
    } while (*at++);
}

static void hash_spec(struct module_spec *spec)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a: finds edits, resists nobody */
    char numbers[64];
    (void)str_format(numbers, sizeof(numbers), "%d %d %u", (int)spec->restart, spec->pull,
                     spec->startup_order);
    hash_text(&hash, spec->image);
    hash_text(&hash, spec->create_options);
    hash_text(&hash, spec->version);
    hash_text(&hash, numbers);
    for (size_t i = 0; i < spec->n_env; i++) {
        hash_text(&hash, spec->env[i].name);
        hash_text(&hash, spec->env[i].value);
    }
    (void)str_format(spec->hash, sizeof(spec->hash), "%016llx", (unsigned long long)hash);
}

static void spec_done(struct module_spec *spec)
{
    for (size_t i = 0; i < spec->n_env; i++) {
        free(spec->env[i].name);
        secret_free(spec->env[i].value);
    }
    free(spec->env);
    free(spec->image);
    free(spec->create_options);
    free(spec->version);
}

static int parse_fields(const cJSON *module, bool agent, enum restart_policy fallback,
                        struct module_spec *spec, struct err *err)
{
    const cJSON *settings = NULL;
    if (!cJSON_IsObject(module))
        return err_set(err, ERR_INVALID, "must be an object");
    if (need_type(module, err) < 0 || json_need_obj(module, "settings", &settings, err) < 0 ||
        parse_image(settings, &spec->image, err) < 0 ||
        create_options_join(settings, &spec->create_options, err) < 0 ||
        parse_env(module, spec, err) < 0 || parse_pull(module, &spec->pull, err) < 0)
        return -1;
    spec->running = true;
    spec->restart = RESTART_ALWAYS;
    if (!agent && (parse_status(module, &spec->running, err) < 0 ||
                   parse_restart(module, fallback, &spec->restart, err) < 0 ||
                   parse_order(module, &spec->startup_order, err) < 0))
        return -1;
    const char *version = json_str(module, "version", NULL);
    spec->version = version ? xstrdup(version) : NULL;
    hash_spec(spec);
    return 0;
}

static int parse_system(const cJSON *desired, const char *name, bool agent,
                        struct module_spec **ret, struct err *err)
{
    const cJSON *module = json_get(json_get(desired, "systemModules"), name);
    if (!module || cJSON_IsNull(module))
        return 0;
    struct module_spec *spec = xcalloc(1, sizeof(*spec));
    STR_SET(spec->name, name);
    *ret = spec; /* freed with the deployment, whole or not */
    if (parse_fields(module, agent, RESTART_ALWAYS, spec, err) < 0)
        return err_wrap(err, "systemModules.%s", name);
    return 0;
}

static int by_order(const void *a, const void *b)
{
    const struct module_spec *x = a, *y = b;
    if (x->startup_order != y->startup_order)
        return x->startup_order < y->startup_order ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int parse_modules(const cJSON *desired, struct deployment *d, struct err *err)
{
    const cJSON *modules = json_get(desired, "modules"), *item = NULL;
    if (!modules || cJSON_IsNull(modules))
        return 0;
    if (!cJSON_IsObject(modules))
        return err_set(err, ERR_INVALID, "modules must be an object");
    int n = cJSON_GetArraySize(modules);
    if (n > DEPLOYMENT_MODULES_MAX)
        return err_set(err, ERR_INVALID, "%d modules, but at most %d are allowed", n,
                       DEPLOYMENT_MODULES_MAX);

    d->modules = xcalloc((size_t)n + 1, sizeof(*d->modules));
    cJSON_ArrayForEach(item, modules)
    {
        struct module_spec *spec = &d->modules[d->n_modules];
        if (check_name(item->string, err) < 0)
            return -1;
        if (strcasecmp(item->string, "edgeAgent") == 0 || strcasecmp(item->string, "edgeHub") == 0)
            return err_set(err, ERR_INVALID, "modules: \"%s\" belongs into systemModules",
                           item->string);
        STR_SET(spec->name, item->string);
        d->n_modules++;
        if (parse_fields(item, false, RESTART_ON_UNHEALTHY, spec, err) < 0)
            return err_wrap(err, "modules.%s", spec->name);
    }
    qsort(d->modules, d->n_modules, sizeof(*d->modules), by_order);
    return 0;
}

/* ------------------------------------------------------------------------------- the rest */

static int parse_registries(const cJSON *settings, struct deployment *d, struct err *err)
{
    const cJSON *list = json_get(settings, "registryCredentials"), *item = NULL;
    if (!list || cJSON_IsNull(list))
        return 0;
    if (!cJSON_IsObject(list))
        return err_set(err, ERR_INVALID, "runtime.settings.registryCredentials must be an object");
    d->registries = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*d->registries));
    cJSON_ArrayForEach(item, list)
    {
        const char *address = NULL, *username = NULL, *password = NULL;
        if (json_need_str(item, "address", &address, err) < 0 ||
            json_need_str(item, "username", &username, err) < 0 ||
            json_need_str(item, "password", &password, err) < 0)
            return err_wrap(err, "runtime.settings.registryCredentials.%s", item->string);
        struct registry *r = &d->registries[d->n_registries++];
        r->address = xstrdup(address);
        r->username = xstrdup(username);
        secret_set(&r->password, password, strlen(password));
    }
    return 0;
}

static int parse_runtime(const cJSON *desired, struct deployment *d, struct err *err)
{
    const cJSON *runtime = NULL;
    if (json_need_obj(desired, "runtime", &runtime, err) < 0)
        return -1;
    if (need_type(runtime, err) < 0)
        return err_wrap(err, "runtime");
    const cJSON *settings = json_get(runtime, "settings");
    auto_buf struct buf text = {0};
    if (cJSON_IsObject(settings))
        json_print(&text, settings);
    else
        buf_puts(&text, "{}");
    d->runtime_settings = buf_steal(&text);
    d->log_options = xstrdup(json_str(settings, "loggingOptions", ""));
    return parse_registries(settings, d, err);
}

/* Same major as 1.1 and not newer. */
static bool known_schema(const char *version)
{
    return str_eq(version, "1.0") || str_eq(version, "1.1") || str_eq(version, "1") ||
           str_eq(version, "1.0.0") || str_eq(version, "1.1.0");
}

static int parse_all(const cJSON *desired, struct deployment *d, enum deployment_code *ret_code,
                     struct err *err)
{
    const cJSON *item = NULL;
    bool empty = true;
    cJSON_ArrayForEach(item, desired) empty = empty && item->string && item->string[0] == '$';
    *ret_code = DEPLOYMENT_EMPTY;
    if (!cJSON_IsObject(desired) || empty)
        return err_set(err, ERR_INVALID, "no deployment was made for this device yet");

    const char *schema = json_str(desired, "schemaVersion", NULL);
    *ret_code = DEPLOYMENT_BAD_SCHEMA;
    if (!schema || !known_schema(schema))
        return err_set(err, ERR_INVALID, "schemaVersion \"%.20s\" is not known: 1.0 and 1.1 are",
                       schema ? schema : "");

    *ret_code = DEPLOYMENT_BAD_FORMAT;
    d->version = json_u64(desired, "$version", 0);
    if (parse_runtime(desired, d, err) < 0 ||
        parse_system(desired, "edgeAgent", true, &d->agent, err) < 0 ||
        parse_system(desired, "edgeHub", false, &d->hub, err) < 0 ||
        parse_modules(desired, d, err) < 0)
        return -1;
    return 0;
}

int deployment_parse(const cJSON *desired, struct deployment *ret, enum deployment_code *ret_code,
                     struct err *err)
{
    struct deployment d = {0};
    enum deployment_code code = DEPLOYMENT_BAD_FORMAT;
    if (parse_all(desired, &d, &code, err) < 0) {
        deployment_done(&d);
        *ret_code = code;
        return -1;
    }
    *ret = d;
    return 0;
}

static void system_free(struct module_spec *spec)
{
    if (spec)
        spec_done(spec);
    free(spec);
}

void deployment_done(struct deployment *d)
{
    for (size_t i = 0; i < d->n_modules; i++)
        spec_done(&d->modules[i]);
    free(d->modules);
    for (size_t i = 0; i < d->n_registries; i++) {
        free(d->registries[i].address);
        free(d->registries[i].username);
        secret_wipe(&d->registries[i].password);
    }
    free(d->registries);
    secret_free(d->runtime_settings);
    free(d->log_options);
    system_free(d->agent);
    system_free(d->hub);
    *d = (struct deployment){0};
}

const struct module_spec *deployment_find(const struct deployment *d, const char *name)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (str_eq(d->modules[i].name, name))
            return &d->modules[i];
    return NULL;
}

/* Not terminated: LEN characters. */
static const char *registry_host(const char *image, size_t *ret_len)
{
    size_t len = strcspn(image, "/");
    *ret_len = len;
    if (image[len] && (memchr(image, '.', len) || memchr(image, ':', len) ||
                       strncmp(image, "localhost/", len + 1) == 0))
        return image;
    *ret_len = strlen("docker.io"); /* a name without a host is Docker Hub's */
    return "docker.io";
}

bool deployment_same_registry(const char *image, const char *other)
{
    size_t a = 0, b = 0;
    const char *host = registry_host(image, &a), *of_other = registry_host(other, &b);
    return a == b && strncasecmp(host, of_other, a) == 0;
}

const struct registry *deployment_registry(const struct deployment *d, const char *image)
{
    size_t len = 0;
    const char *host = registry_host(image, &len);
    for (size_t i = 0; i < d->n_registries; i++) {
        const char *address = d->registries[i].address;
        if (strlen(address) == len && strncasecmp(address, host, len) == 0)
            return &d->registries[i];
    }
    return NULL;
}
