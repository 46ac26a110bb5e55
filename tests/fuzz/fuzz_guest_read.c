/* Everything that a guest's sockets answer: the first byte chooses the parser. */
#include "core/engine/guest_read.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct module_status modules[4];
    static struct guest_stats last;
    struct guest_info info;
    struct guest_resources resources;
    struct guest_stats stats;
    char value[16];
    size_t n = 0;
    if (!size)
        return 0;
    char *text = xstrndup((const char *)data + 1, size - 1);
    size_t len = strlen(text);
    switch (data[0] % 5) {
    case 0:
        if (guest_read_modules(text, len, modules, 4, &n, NULL) == 0) {
            assert(n <= 4);
            for (size_t i = 0; i < n; i++)
                assert(modules[i].name[0] && modules[i].state < MODULE_STATE_COUNT);
        }
        break;
    case 1:
        if (guest_read_info(text, len, &info, NULL) == 0)
            assert(info.cloud < CLOUD_STATE_COUNT && !strchr(info.cloud_error, '\033'));
        break;
    case 2:
        if (guest_read_resources(text, len, &resources, NULL) == 0)
            assert(resources.disk_used <= resources.disk_total);
        break;
    case 3:
        if (guest_read_stats(text, len, &stats, NULL) == 0) {
            double cpu = guest_stats_cpu(&last, &stats);
            assert(cpu >= -1);
            last = stats;
        }
        break;
    default:
        guest_read_key(text, "ip", value, sizeof(value));
        break;
    }
    free(text);
    return 0;
}
