/* Any text goes into the XML and comes out the same, or is refused; and any text may claim to be
 * XML. */
#include "core/base/mem.h"
#include "vm/domain_xml.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf xml = {0};
    auto_free char *text = xstrndup((const char *)data, size);
    auto_free char *to = xmalloc(size + 8);
    size_t len = strlen(text);

    buf_puts(&xml, "<vm state='");
    size_t head = xml.len;
    if (domain_xml_escape(&xml, text, len)) {
        assert(!strpbrk(xml.data + head, "<>'\""));
        buf_puts(&xml, "'/>");
        assert(domain_xml_attr(xml.data, "state", to, size + 8));
        assert(strcmp(to, text) == 0);
    } else {
        assert(xml.len == head);
    }
    (void)domain_xml_attr(text, "state", to, size + 8);
    return 0;
}
