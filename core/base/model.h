/* The plain structs that all layers of the host speak: what the engine knows, what travels to the
 * console, what a screen draws. No pointers: a value can be copied, compared and handed to another
 * thread. Foreign text in them is already sanitised.
 *
 * Times are ms since 1970 (UTC), 0 = never; sizes are bytes unless the name says otherwise; a
 * percentage below 0 = unknown. */
#ifndef BERTH_BASE_MODEL_H
#define BERTH_BASE_MODEL_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NAME_MAX    64
#define MODEL_VMS_MAX     8
#define MODEL_MODULES_MAX 64
#define MODEL_JOBS_MAX    16
#define MODEL_STEPS_MAX   16
#define MODEL_CHECKS_MAX  16
#define MODEL_HUBS_MAX    9

/* How a thing is doing. Shown as symbol + word + colour, never by colour alone. */
enum light {
    LIGHT_UNKNOWN, /* [?]  nobody knows, or stale */
    LIGHT_OFF,     /* [-]  off or not set */
    LIGHT_TODO,    /* [  ] not begun */
    LIGHT_BUSY,    /* [..] at work */
    LIGHT_OK,      /* [OK] fine */
    LIGHT_WARN,    /* [!]  look at it */
    LIGHT_BAD,     /* [X]  broken */
    LIGHT_COUNT
};
const char *light_name(
    enum light light); /* "unknown", "off", "todo", "busy", "ok", "warn", "bad" */
enum light light_parse(const char *name); /* LIGHT_UNKNOWN where not known */

struct host_check {
    char id[32];      /* "kvm": stable, for scripts */
    char label[24];   /* "KVM" */
    char text[160];   /* what was found */
    char hint[240];   /* what to do; empty when fine */
    enum light light; /* OK, WARN, BAD, OFF: not there, and not missed; BUSY while it runs */
};

struct host_report {
    struct host_check checks[MODEL_CHECKS_MAX];
    size_t n;
    char accel[8];       /* "kvm" or "tcg": what `auto` gives here */
    char accel_why[160]; /* one line for people */
    char uri[64];        /* libvirt URI that will be used */
};

enum vm_network { VM_NETWORK_USER, VM_NETWORK_NAT, VM_NETWORK_COUNT };
const char *vm_network_name(enum vm_network network); /* "user", "nat" */
int vm_network_parse(const char *name, enum vm_network *ret_network, struct err *err);

/* What a person chose for a VM; the file that the UI writes and the CLI reads back. */
struct vm_plan {
    char name[MODEL_NAME_MAX];
    char accel[8];    /* "auto", "kvm", "tcg" */
    char bundle[256]; /* folder of the bundle; empty: the default one */
    uint32_t cpus;
    uint32_t memory_mib;
    uint32_t disk_gib;
    enum vm_network network;
};

enum vm_state {
    VM_STATE_UNKNOWN,
    VM_STATE_OFF,
    VM_STATE_STARTING, /* power is on, SSH has not answered yet */
    VM_STATE_RUNNING,  /* SSH answers */
    VM_STATE_SILENT,   /* was running, SSH no longer answers */
    VM_STATE_STOPPING,
    VM_STATE_CRASHED,
    VM_STATE_PAUSED,
    VM_STATE_COUNT
};
const char *vm_state_name(enum vm_state state);
enum vm_state vm_state_parse(const char *name);
enum light vm_state_light(enum vm_state state);

enum runtime_state {
    RUNTIME_STATE_UNKNOWN,
    RUNTIME_STATE_UNPROVISIONED,
    RUNTIME_STATE_STARTING,
    RUNTIME_STATE_RUNNING,
    RUNTIME_STATE_FAILED, /* mgmt.sock does not answer though it should */
    RUNTIME_STATE_COUNT
};
const char *runtime_state_name(enum runtime_state state);
enum runtime_state runtime_state_parse(const char *name);
enum light runtime_state_light(enum runtime_state state);

enum cloud_state {
    CLOUD_STATE_UNKNOWN,
    CLOUD_STATE_NONE, /* not provisioned */
    CLOUD_STATE_CONNECTING,
    CLOUD_STATE_CONNECTED,
    CLOUD_STATE_DISCONNECTED, /* was connected */
    CLOUD_STATE_REFUSED,      /* the hub said no: credentials, unknown device */
    CLOUD_STATE_COUNT
};
const char *cloud_state_name(enum cloud_state state);
enum cloud_state cloud_state_parse(const char *name);
enum light cloud_state_light(enum cloud_state state);

enum module_state {
    MODULE_STATE_UNKNOWN,
    MODULE_STATE_PULLING,
    MODULE_STATE_RUNNING,
    MODULE_STATE_BACKOFF,
    MODULE_STATE_STOPPED,
    MODULE_STATE_FAILED,
    MODULE_STATE_DEAD,
    MODULE_STATE_COUNT
};
const char *module_state_name(enum module_state state);
enum module_state module_state_parse(const char *name);
enum light module_state_light(enum module_state state);

struct module_status {
    char name[MODEL_NAME_MAX];
    char image[160];
    char description[160]; /* why it is in this state, where known */
    enum module_state state;
    bool system;   /* edgeAgent, edgeHub */
    int exit_code; /* of the last end; meaningful where exited_ms is set */
    uint64_t started_ms;
    uint64_t exited_ms;
    uint32_t restarts; /* seen since the engine began to watch */
    double cpu_percent;
    uint64_t memory;
};

struct vm_status {
    char name[MODEL_NAME_MAX];
    enum vm_state state;
    char reason[200]; /* why it is off, silent or crashed; empty when fine */
    char accel[8];    /* "kvm", "tcg" */
    char address[64]; /* as people see it: "user network, SSH 127.0.0.1:41022" */
    char bundle[32];  /* version of the active bundle */
    uint32_t cpus;
    uint32_t memory_mib;
    uint32_t disk_gib;
    uint64_t started_ms;
    uint64_t seen_ms; /* when the guest last answered */
    /* From inside the guest; valid while state is RUNNING and seen_ms is set. */
    double cpu_percent;
    uint64_t memory_used, memory_total;
    uint64_t disk_used, disk_total;

    enum runtime_state runtime;
    char runtime_version[32];
    char runtime_reason[200];
    char device_id[130];
    char hub[130];

    enum cloud_state cloud;
    uint64_t cloud_since_ms;
    char cloud_reason[200];

    struct module_status modules[MODEL_MODULES_MAX];
    size_t n_modules;
};

enum job_state {
    JOB_STATE_RUNNING,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    JOB_STATE_CANCELLED,
    JOB_STATE_UNDOING,
    JOB_STATE_COUNT
};
const char *job_state_name(enum job_state state);
enum job_state job_state_parse(const char *name);
bool job_state_ended(enum job_state state);

struct job_step {
    char name[80];    /* "Verify the image" */
    enum light light; /* of LIGHT_*: todo, busy, ok, bad; off: undone or skipped */
    uint64_t took_ms;
};

struct job_status {
    char id[16];
    char kind[32];  /* "vm.create", "provision", "vm.delete", "sandbox.start", ... */
    char title[96]; /* "Install edge-07-vm" */
    char vm[MODEL_NAME_MAX];
    char by[MODEL_NAME_MAX]; /* who started it */
    enum job_state state;
    struct job_step steps[MODEL_STEPS_MAX];
    size_t n_steps;
    size_t step;       /* index of the step at work */
    int percent;       /* of that step; -1 unknown */
    char message[160]; /* what it is doing now */
    uint64_t started_ms;
    uint64_t ended_ms;
    uint64_t limit_ms; /* of the step at work; 0 none */
    uint64_t left_ms;  /* estimate for the whole job; 0 unknown */
    struct err error;  /* kind ERR_NONE unless it failed */
};

struct sandbox_hub {
    char host[130];
};

struct sandbox_status {
    enum light light;                        /* OFF, BUSY, OK, BAD */
    char host[130];                          /* "sandbox.berth.internal" */
    struct sandbox_hub hubs[MODEL_HUBS_MAX]; /* all of them, that one first */
    size_t n_hubs;
    uint16_t mqtt_port, https_port, registry_port;
    char ca_file[256];
    char dps_host[130]; /* of its provisioning service; "": it has none */
    char id_scope[32];
    char reason[200];
    uint32_t devices;
};

/* Everything a console needs to draw; sent as a whole whenever it changed. */
struct snapshot {
    uint64_t at_ms;
    char host[MODEL_NAME_MAX];
    char engine_version[16];
    struct vm_status vms[MODEL_VMS_MAX];
    size_t n_vms;
    struct job_status jobs[MODEL_JOBS_MAX]; /* running ones first, then the latest ended */
    size_t n_jobs;
    struct sandbox_status sandbox;
};

/* One line of a module's log, as it goes from the engine to the console. */
struct log_entry {
    uint64_t seq;     /* 1, 2, 3 ... within a stream; a hole never comes without a gap count */
    uint64_t gap;     /* lines lost just before this one */
    uint64_t at_ms;   /* 0 unknown */
    uint8_t stream;   /* 1 stdout, 2 stderr, 0 unknown */
    bool cut;         /* the line was longer than what is kept */
    const char *text; /* sanitised; borrowed */
    size_t len;
};

#endif
