/* libxml2's writer, with one place where its failures gather: calls go on after one, and
 * xml_take() tells. */
#ifndef AUTEUR_PIPELINE_HANDOFF_XML_H
#define AUTEUR_PIPELINE_HANDOFF_XML_H

#include <stdbool.h>
#include <stdint.h>

#include <libxml/xmlwriter.h>

#include "kernels/base/error.h"

struct xml {
    xmlTextWriterPtr writer;
    xmlBufferPtr buffer;
    bool failed;
};

/* Begins a document with this DOCTYPE name. */
void xml_begin(struct xml *x, const char *doctype);
void xml_open(struct xml *x, const char *element);
void xml_close(struct xml *x);
void xml_attribute(struct xml *x, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An element with a text alone. */
void xml_text(struct xml *x, const char *element, const char *text);
void xml_number(struct xml *x, const char *element, int64_t value);
/* Ends the document and frees the writer; the caller frees the text. NULL: out of memory. */
char *xml_take(struct xml *x, struct error *e);

#endif
