#include "pipeline/handoff/xml.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const xmlChar *as_xml(const char *s)
{
    return (const xmlChar *)s;
}

static void check(struct xml *x, int status)
{
    x->failed |= status < 0;
}

void xml_begin(struct xml *x, const char *doctype)
{
    *x = (struct xml){.buffer = xmlBufferCreate()};
    if (x->buffer)
        x->writer = xmlNewTextWriterMemory(x->buffer, 0);
    x->failed = !x->writer;
    if (x->failed)
        return;
    check(x, xmlTextWriterSetIndent(x->writer, 1));
    check(x, xmlTextWriterStartDocument(x->writer, NULL, "UTF-8", NULL));
    check(x, xmlTextWriterWriteDTD(x->writer, as_xml(doctype), NULL, NULL, NULL));
}

void xml_open(struct xml *x, const char *element)
{
    if (!x->failed)
        check(x, xmlTextWriterStartElement(x->writer, as_xml(element)));
}

void xml_close(struct xml *x)
{
    if (!x->failed)
        check(x, xmlTextWriterEndElement(x->writer));
}

void xml_attribute(struct xml *x, const char *name, const char *format, ...)
{
    va_list args;

    if (x->failed)
        return;
    va_start(args, format);
    check(x, xmlTextWriterWriteVFormatAttribute(x->writer, as_xml(name), format, args));
    va_end(args);
}

void xml_text(struct xml *x, const char *element, const char *text)
{
    if (!x->failed)
        check(x, xmlTextWriterWriteElement(x->writer, as_xml(element), as_xml(text)));
}

void xml_number(struct xml *x, const char *element, int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, value);
    xml_text(x, element, text);
}

char *xml_take(struct xml *x, struct error *e)
{
    char *text = NULL;

    if (!x->failed)
        check(x, xmlTextWriterEndDocument(x->writer));
    if (x->writer)
        xmlFreeTextWriter(x->writer); /* flushes into the buffer */
    if (!x->failed)
        text = strdup((const char *)xmlBufferContent(x->buffer));
    if (x->buffer)
        xmlBufferFree(x->buffer);
    *x = (struct xml){0};
    if (!text)
        error_memory(e);
    return text;
}
