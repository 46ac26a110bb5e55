/* The `iotedge` command of the guest: the words of Microsoft's, against berth-edged. One thread,
 * one thing at a time; each verb is a function that ends with an exit status. */
#ifndef BERTH_IOTEDGE_H
#define BERTH_IOTEDGE_H

#define IOTEDGE_UNIT "berth-edged.service"
/* Of systemd's environment file, so that it outlives a new image. */
#define IOTEDGE_LEVEL_FILE "edged.env"

/* A promise to scripts, with the numbers that `berth` has. */
enum iotedge_exit {
    IOTEDGE_DONE = 0,
    IOTEDGE_FAILED = 1,      /* any other failure; of check: a check failed */
    IOTEDGE_USAGE = 2,       /* wrong usage */
    IOTEDGE_NOT_FOUND = 3,   /* no such module, no such file */
    IOTEDGE_PERMISSION = 4,  /* rights do not suffice */
    IOTEDGE_INVALID = 6,     /* the configuration, or another input, is wrong */
    IOTEDGE_TIMEOUT = 8,     /* not so in time; it may still become so */
    IOTEDGE_UNREACHABLE = 10 /* the runtime, or the container engine, does not answer */
};

/* Where things are. */
struct iotedge {
    const char *host;      /* the management API's socket, a path */
    const char *config;    /* the runtime's configuration */
    const char *engine;    /* the container engine's socket; NULL: as the configuration says */
    const char *state_dir; /* of the runtime */
};

/* argv[0] is the verb. */
typedef int (*iotedge_verb)(const struct iotedge *o, int argc, char **argv);

int iotedge_list(const struct iotedge *o, int argc, char **argv);
int iotedge_logs(const struct iotedge *o, int argc, char **argv);
int iotedge_restart(const struct iotedge *o, int argc, char **argv);
int iotedge_config(const struct iotedge *o, int argc, char **argv);
int iotedge_system(const struct iotedge *o, int argc, char **argv);
int iotedge_check(const struct iotedge *o, int argc, char **argv);
int iotedge_check_list(const struct iotedge *o, int argc, char **argv);
int iotedge_support_bundle(const struct iotedge *o, int argc, char **argv);

#endif
